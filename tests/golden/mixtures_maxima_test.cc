// Whole fits against known maxima (tests/golden/mixtures/README.md): likelihoods to 1e-6 relative, standard errors,
// certificates.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/csv.h"
#include "mixtures/coefficients.h"
#include "mixtures/fit.h"
#include "mixtures/scale.h"

namespace witan::mixtures {
namespace mixtures_maxima_test {

using Json = nlohmann::json;
using Names = std::vector<std::string>;

std::string data_file(const std::string& name) { return std::string(WITAN_TEST_DATA) + "/golden/mixtures/" + name; }

Json read_json(const std::string& name) {
  std::ifstream file(data_file(name));
  return Json::parse(file);
}

// Columns of a file; "x^2" is the square of x.
Sample sample_of(const std::string& file, const std::string& target, const Names& experts, const Names& gate) {
  const CsvTable table = read_csv(data_file(file));
  Sample sample;
  const auto number_of = [&](const std::string& name) {
    for (std::size_t j = 0; j < sample.columns.size(); ++j) {
      if (sample.columns[j].name == name) return static_cast<int>(j);
    }
    const bool square = name.ends_with("^2");
    NamedColumn column{name, table.find(square ? name.substr(0, name.size() - 2) : name).numbers};
    if (square) {
      for (double& value : column.values) value *= value;
    }
    sample.columns.push_back(std::move(column));
    return static_cast<int>(sample.columns.size()) - 1;
  };
  for (const std::string& name : experts) sample.expert_inputs.push_back(number_of(name));
  for (const std::string& name : gate) sample.gate_inputs.push_back(number_of(name));
  sample.targets.push_back({target, table.find(target).numbers});
  return sample;
}

void expect_relative(double actual, double expected, double tolerance = 1e-6) {
  EXPECT_NEAR(actual, expected, tolerance * std::fabs(expected));
}

void expect_certified(const Fit& fit) {
  EXPECT_TRUE(fit.certificate.maximum) << fit.certificate.reason;
  EXPECT_LT(fit.certificate.gradient_norm, 1e-6);
  EXPECT_GT(fit.certificate.smallest_eigenvalue, 0.0);
  EXPECT_TRUE(fit.monotone);
  EXPECT_FALSE(fit.degenerate) << fit.degenerate_reason;
}

FitOptions exact(std::int64_t experts, const std::string& family = "gaussian") {
  FitOptions options;
  options.experts = experts;
  options.family = family;
  options.gate_ridge = 0.0;
  options.expert_ridge = 0.0;
  return options;
}

void expect_reference(const Fit& fit, const std::string& name) {
  const Json reference = read_json("me_ref_small.json").at(name);
  expect_relative(fit.log_likelihood, reference.at("logLik").get<double>());
  expect_relative(fit.aic, reference.at("AIC").get<double>());
  expect_relative(fit.bic, reference.at("BIC").get<double>());
  expect_relative(fit.icl, reference.at("ICL_hard").get<double>(), 1e-5);
  EXPECT_EQ(fit.df, reference.at("df").get<int>());
}

TEST(MixturesMaximaTest, SwitchingRegressionsWithTheirStandardErrors) {
  const Fit fit = fit_mixture(sample_of("npreg.csv", "yn", {"x", "x^2"}, {"x"}), exact(2));
  expect_reference(fit, "npreg_gatex_k2");
  expect_certified(fit);
  // Which expert is the first is chance: standard errors of the experts are compared in the order that fits.
  const Json reference = read_json("me_ref_small.json").at("npreg_gatex_k2");
  const auto errors = reference.at("se_flat").get<std::vector<double>>();
  const std::vector<Coefficient> table = coefficients(fit);
  const auto find = [&](const std::string& part, const std::string& term) -> const Coefficient& {
    for (const Coefficient& coefficient : table) {
      if (coefficient.part == part && coefficient.term == term) return coefficient;
    }
    throw std::out_of_range(part + " " + term);
  };
  EXPECT_NEAR(find("gate", "(intercept)").standard_error.value(), errors[0], 1e-5 * errors[0]);
  EXPECT_NEAR(find("gate", "x").standard_error.value(), errors[1], 1e-5 * errors[1]);
  const bool swapped = find("expert 1", "(intercept)").estimate > find("expert 2", "(intercept)").estimate;
  for (std::size_t k = 0; k < 2; ++k) {
    const std::string part = (k == 0) == swapped ? "expert 2" : "expert 1";
    const auto values = reference.at("experts").at("par")[k].get<std::vector<double>>();
    const Names terms = {"(intercept)", "x", "x^2", "log_sigma"};
    for (std::size_t j = 0; j < terms.size(); ++j) {
      const Coefficient& coefficient = find(part, terms[j]);
      EXPECT_NEAR(coefficient.estimate, values[j], 1e-6 * (1.0 + std::fabs(values[j]))) << part << " " << terms[j];
      const double expected = errors[2 + 4 * k + j];
      EXPECT_NEAR(coefficient.standard_error.value(), expected, 1e-5 * expected) << part << " " << terms[j];
    }
  }
}

TEST(MixturesMaximaTest, ConstantGate) {
  FitOptions options = exact(2);
  options.gate = "constant";
  const Fit fit = fit_mixture(sample_of("npreg.csv", "yn", {"x", "x^2"}, {}), options);
  expect_reference(fit, "npreg_const_k2");
  expect_certified(fit);
}

TEST(MixturesMaximaTest, Ethanol) {
  const Fit fit = fit_mixture(sample_of("nodata.csv", "Equivalence", {"NO"}, {"NO"}), exact(2));
  expect_reference(fit, "nodata_k2");
  expect_certified(fit);
}

TEST(MixturesMaximaTest, Boston) {
  const Fit fit =
      fit_mixture(sample_of("boston.csv", "medv", {"lstat", "rm", "crim"}, {"lstat", "rm", "crim"}), exact(2));
  expect_reference(fit, "boston_k2");
  expect_certified(fit);
}

TEST(MixturesMaximaTest, LogisticExperts) {
  Sample sample = sample_of("logit2.csv", "y", {"x1", "x2", "x3"}, {"x1", "x2", "x3"});
  sample.classes = {"0", "1"};
  FitOptions options = exact(2, "logistic");
  options.restarts = 5;
  const Fit fit = fit_mixture(std::move(sample), options);
  expect_reference(fit, "logit2_k2");
  expect_certified(fit);
}

TEST(MixturesMaximaTest, MotorcycleHelmetsWithAPenalizedGate) {
  const Json reference = read_json("me_ref_mcycle_ridge.json");
  for (const int experts : {2, 3, 4}) {
    SCOPED_TRACE(experts);
    FitOptions options = exact(experts);
    options.gate_ridge = 0.01;
    const Fit fit = fit_mixture(sample_of("mcycle.csv", "accel", {"times"}, {"times"}), options);
    const Json& expected = reference.at("mcycle_k" + std::to_string(experts) + "_ridge0.01");
    if (experts == 3) {  // the reference's starts missed this one: see tests/golden/README.md
      expect_relative(fit.objective, -584.45182097);
      EXPECT_GT(fit.objective, expected.at("pen_logLik").get<double>() + 1.0);
      EXPECT_GT(*std::min_element(fit.sizes.begin(), fit.sizes.end()), 20.0);
    } else {
      expect_relative(fit.objective, expected.at("pen_logLik").get<double>());
      expect_relative(fit.log_likelihood, expected.at("logLik").get<double>());
    }
    expect_certified(fit);
    EXPECT_NEAR(fit.certificate.gradient_norm, 0.0, 1e-8);
  }
}

TEST(MixturesMaximaTest, StudentTExperts) {
  FitOptions options = exact(2, "student_t");
  options.restarts = 5;
  const Fit fit = fit_mixture(sample_of("t2.csv", "y", {"x"}, {"x"}), options);
  expect_relative(fit.log_likelihood, -4658.477996);
  expect_certified(fit);
  options.family = "gaussian";
  EXPECT_NEAR(fit_mixture(sample_of("t2.csv", "y", {"x"}, {"x"}), options).log_likelihood, -4822.12, 0.005);
}

TEST(MixturesMaximaTest, GammaExpertsWithTheirStandardErrors) {
  const Json reference = read_json("gamma.json").at("gamma_k2");
  Sample sample;
  sample.columns = {{"x", reference.at("x").get<std::vector<double>>()}};
  sample.targets = {{"y", reference.at("y").get<std::vector<double>>()}};
  sample.expert_inputs = sample.gate_inputs = {0};
  const Fit fit = fit_mixture(std::move(sample), exact(2, "gamma"));
  expect_relative(fit.log_likelihood, reference.at("logLik").get<double>(), 1e-9);
  expect_certified(fit);
  // Gate of expert 2 against expert 1; intercept, slope and log shape of expert 1; the same of expert 2.
  const auto values = reference.at("parameters").get<std::vector<double>>();
  const auto errors = reference.at("standard_errors").get<std::vector<double>>();
  const std::vector<Coefficient> table = coefficients(fit);
  const bool swapped = (table[2].estimate > 1.5) != (values[2] > 1.5);
  for (const Coefficient& c : table) {
    std::size_t at = c.term == "(intercept)" ? 0 : (c.term == "x" ? 1 : 2);
    double sign = 1.0;
    if (c.part == "gate") {
      sign = swapped ? -1.0 : 1.0;
    } else {
      at += (c.part == "expert 1") != swapped ? 2 : 5;
    }
    const bool shape = c.term == "shape";
    const double expected = shape ? std::exp(values[at]) : sign * values[at];
    EXPECT_NEAR(c.estimate, expected, 1e-5 * (1.0 + std::fabs(expected))) << c.part << " " << c.term;
    const double error = (shape ? expected : 1.0) * errors[at];
    EXPECT_NEAR(c.standard_error.value(), error, 1e-4 * error) << c.part << " " << c.term;
  }
}

// A likelihood with many maxima, to the highest of which hardly any start leads.
TEST(MixturesMaximaTest, TheHighestOfManyMaxima) {
  const Json reference = read_json("many_maxima.json").at("gamma_k3");
  Sample sample;
  sample.columns = {{"x", reference.at("x").get<std::vector<double>>()}};
  sample.targets = {{"y", reference.at("y").get<std::vector<double>>()}};
  sample.expert_inputs = sample.gate_inputs = {0};
  FitOptions options;
  options.experts = 3;
  options.family = "gamma";
  const Fit fit = fit_mixture(std::move(sample), options);
  EXPECT_GE(fit.objective, reference.at("objective").get<double>() * (1.0 + 1e-6));
  expect_certified(fit);
}

TEST(MixturesMaximaTest, GaussianGateIsAGaussianMixtureOfInputsAndTargets) {
  const Json reference = read_json("gaussian_gate.json");
  struct Case {
    std::string name, file, target;
    Names inputs;
    int experts;
  };
  for (const Case& c :
       {Case{"mcycle_k2", "mcycle.csv", "accel", {"times"}, 2}, Case{"mcycle_k3", "mcycle.csv", "accel", {"times"}, 3},
        Case{"boston_k3", "boston.csv", "medv", {"lstat", "rm"}, 3}}) {
    SCOPED_TRACE(c.name);
    FitOptions options = exact(c.experts);
    options.gate = "gaussian";
    const Fit fit = fit_mixture(sample_of(c.file, c.target, c.inputs, c.inputs), options);
    const Json& expected = reference.at(c.name);
    EXPECT_GE(fit.joint_log_likelihood, expected.at("joint_logLik_original").get<double>() - 1e-3);
    expect_certified(fit);

    // At the reference's own parameters, which are of standardised columns like ours, both say the same.
    const Prepared prepared =
        Prepared::from(sample_of(c.file, c.target, c.inputs, c.inputs), TargetKind::kNumber, c.experts);
    const std::unique_ptr<Model> model = make_model(prepared.frame(), options);
    const auto size = static_cast<Eigen::Index>(c.inputs.size());
    const Scale region(Covariance::kFull, static_cast<int>(size));
    std::vector<double> gate;
    std::vector<double> experts;
    const auto weights = expected.at("weights").get<std::vector<double>>();
    for (std::size_t k = 1; k < weights.size(); ++k) gate.push_back(std::log(weights[k] / weights[0]));
    for (std::size_t k = 0; k < weights.size(); ++k) {
      Eigen::MatrixXd covariance(size, size);
      for (Eigen::Index i = 0; i < size; ++i) {
        gate.push_back(expected.at("means")[k][static_cast<std::size_t>(i)].get<double>());
        for (Eigen::Index j = 0; j < size; ++j) {
          covariance(i, j) =
              expected.at("covs")[k][static_cast<std::size_t>(i)][static_cast<std::size_t>(j)].get<double>();
        }
      }
      std::vector<double> heads(static_cast<std::size_t>(region.num_heads()));
      region.set(covariance, 1e-12, heads.data());
      gate.insert(gate.end(), heads.begin(), heads.end());
      experts.push_back(expected.at("b")[k][0].get<double>());
      for (const Json& slope : expected.at("A")[k][0]) experts.push_back(slope.get<double>());
      experts.push_back(-0.5 * std::log(expected.at("Sigma")[k][0][0].get<double>()));
    }
    gate.insert(gate.end(), experts.begin(), experts.end());
    model->set_parameters(Eigen::Map<const Eigen::VectorXd>(gate.data(), static_cast<Eigen::Index>(gate.size())));
    expect_relative(log_likelihood(*model, prepared.data()), expected.at("joint_logLik_std").get<double>(), 1e-8);
  }
}

}  // namespace mixtures_maxima_test
}  // namespace witan::mixtures
