// Gradient training: slopes against differences and against the exact derivatives, and that it arrives where EM does.
#include "mixtures/gradient_training.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "formats/csv.h"
#include "mixtures/derivatives.h"
#include "mixtures/fit.h"
#include "mixtures/model_file.h"
#include "mixtures/row_distribution.h"
#include "support/temporary_folder.h"

namespace witan::mixtures {
namespace gradient_training_test {

// A curve that a straight line cannot follow, in two regions of x; or classes or counts made of it.
std::string table_text(const std::string& family, int rows) {
  Random random(9);
  std::string text = "y,x,z\n";
  for (int n = 0; n < rows; ++n) {
    const double x = 4.0 * random.uniform_open() - 2.0;
    const double z = random.normal();
    double y = (x > 0.3 ? 3.0 * std::sin(2.0 * x) : -2.0 + x * x) + 0.3 * z + 0.2 * random.normal();
    std::string target = fmt::format("{}", y);
    if (family == "multinomial") target = y < -1.0 ? "low" : (y < 1.0 ? "middle" : "high");
    if (family == "poisson") target = fmt::format("{}", std::floor(std::exp(0.4 * (y + 2.0))));
    if (family == "gamma") target = fmt::format("{}", std::exp(0.4 * y));
    text += fmt::format("{},{},{}\n", target, x, z);
  }
  return text;
}

BuiltDesign design_of(const std::string& family, int rows) {
  DesignRequest request;
  request.formula = parse_formula("y ~ x + z");
  request.target = find_family(family).target;
  return build_design(parse_csv(table_text(family, rows), "t.csv"), request);
}

FitOptions network_options(const std::string& family) {
  FitOptions options;
  options.family = family;
  options.experts = 2;
  options.gate_hidden = "3";
  options.expert_hidden = "4";
  options.restarts = 2;
  options.epochs = 30;
  options.batch_rows = 50;
  options.max_iterations = 60;
  return options;
}

TEST(GradientTrainingTest, SlopesMatchDifferencesForNetworksOfEveryFamily) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "poisson", "gamma", "multinomial"}) {
    for (const char* combine : {"densities", "means"}) {
      SCOPED_TRACE(family + std::string(" ") + combine);
      FitOptions options = network_options(family);
      options.combine = combine;
      options.validate();
      const Prepared rows = Prepared::from(design_of(family, 40).sample, find_family(family).target, 2);
      const auto model = make_model(rows.frame(), options);
      Random random(3);
      Eigen::VectorXd at = model->parameters();
      for (double& value : at) value += 0.4 * random.normal();
      model->set_parameters(at);
      const Slope here = slope(*model, rows.data());
      for (Eigen::Index i = 0; i < at.size(); ++i) {
        const double step = 1e-6;
        Eigen::VectorXd moved = at;
        moved(i) = at(i) + step;
        model->set_parameters(moved);
        const double above = slope(*model, rows.data()).objective;
        moved(i) = at(i) - step;
        model->set_parameters(moved);
        const double below = slope(*model, rows.data()).objective;
        EXPECT_NEAR(here.gradient(i), (above - below) / (2.0 * step), 1e-5 * (1.0 + std::fabs(here.gradient(i)))) << i;
      }
    }
  }
}

TEST(GradientTrainingTest, SlopesOfLinearModelsAreTheExactDerivatives) {
  for (const std::string gate : {"softmax", "gaussian", "tree"}) {
    for (const std::string family : {"gaussian", "student_t", "poisson", "gamma", "multinomial"}) {
      SCOPED_TRACE(gate + " " + family);
      FitOptions options;
      options.family = family;
      options.experts = 4;
      options.gate = gate == "gaussian" ? gate : "softmax";
      options.tree = gate == "tree" ? "2x2" : "";
      options.gate_ridge = options.expert_ridge = 0.0;
      const Prepared rows = Prepared::from(design_of(family, 700).sample, find_family(family).target, 4);
      const auto model = make_model(rows.frame(), options);
      Random random(5);
      Eigen::VectorXd at = model->parameters();
      for (double& value : at) value += 0.2 * random.normal();
      model->set_parameters(at);
      const Derivatives exact = observed_derivatives(*model, rows.data(), false);
      const Slope here = slope(*model, rows.data());
      EXPECT_NEAR(here.objective, exact.log_likelihood, 1e-12 * std::fabs(exact.log_likelihood));
      EXPECT_LT((here.gradient - exact.gradient).cwiseAbs().maxCoeff(), 1e-9 * exact.gradient.norm());
    }
  }
}

TEST(GradientTrainingTest, ArrivesWhereEmDoes) {
  const BuiltDesign design = design_of("gaussian", 300);
  FitOptions options;
  // Of three experts EM finds a higher maximum (-99.83) than a dozen gradient starts do (-100.14): Newton's method
  // follows its starts.
  options.experts = 2;
  options.restarts = 12;
  const Fit em = fit_mixture(design.sample, options);
  options.training = "gradient";
  const Fit gradient = fit_mixture(design.sample, options);
  EXPECT_NEAR(gradient.log_likelihood, em.log_likelihood, 1e-7 * std::fabs(em.log_likelihood));
  EXPECT_TRUE(gradient.certificate.maximum);
}

TEST(GradientTrainingTest, NetworksFollowWhatLinesCannotAndAreReadBack) {
  const test::TemporaryFolder folder;
  for (const std::string family : {"gaussian", "multinomial"}) {
    SCOPED_TRACE(family);
    const BuiltDesign design = design_of(family, 200);
    FitOptions linear;
    linear.family = family;
    linear.experts = 1;
    const Fit line = fit_mixture(design.sample, linear);
    std::vector<FitOptions> forms(3, network_options(family));
    forms[1].combine = "means";  // Meta-Pi
    forms[2].experts = 1;
    forms[2].stack = "3x4,2x4";  // Eigen, Ranzato & Sutskever 2013
    for (const FitOptions& options : forms) {
      const Fit fit = fit_mixture(design.sample, options);
      EXPECT_GT(fit.log_likelihood, line.log_likelihood + 20.0);
      EXPECT_FALSE(fit.certificate.maximum);
      EXPECT_NE(fit.certificate.reason.find("network"), std::string::npos);
      write_model(folder / "model.json", fit, design.design);
      const FittedModel read = read_model(folder / "model.json");
      const Prepared ours = Prepared::under(fit.frame, design.sample);
      double total = 0.0;
      for (std::int64_t n = 0; n < 200; ++n) {
        const RowDistribution row(*read.model, ours, n);
        total += row.log_density(row.own_targets());
      }
      EXPECT_NEAR(total, fit.log_likelihood, 1e-8 * std::fabs(total));
    }
  }
}

}  // namespace gradient_training_test
}  // namespace witan::mixtures
