// Predictions: moments, quantiles and densities of a fitted mixture, and that a model file says the same.
#include "mixtures/predict.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "formats/csv.h"
#include "mixtures/fit.h"
#include "mixtures/model_file.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"

namespace witan::mixtures {
namespace predict_test {

constexpr double kLevels[] = {0.05, 0.5, 0.95};

// A table whose target a family can have, with a category and a number as inputs.
std::string table_text(const std::string& family, int rows) {
  Random random(11);
  std::string text = "y,x,colour\n";
  for (int n = 0; n < rows; ++n) {
    const double x = 3.0 * random.uniform_open();
    const bool red = random.uniform_open() < 0.5;
    const double mean = (random.uniform_open() < 0.5 ? 1.0 + x : 6.0 - x) + (red ? 1.0 : 0.0);
    double y = mean + 0.4 * random.normal();
    std::string target = fmt::format("{}", y);
    if (family == "poisson") target = fmt::format("{}", std::floor(std::exp(0.3 * mean) + random.uniform_open()));
    if (family == "gamma") target = fmt::format("{}", std::exp(0.3 * y));
    if (family == "logistic") target = y > 4.0 ? "high" : "low";
    if (family == "multinomial") target = y > 5.0 ? "high" : (y > 3.0 ? "middle" : "low");
    text += fmt::format("{},{},{}\n", target, x, red ? "red" : "blue");
  }
  return text;
}

struct Fitted {
  BuiltDesign built;
  Fit fit;
};

Fitted fit_text(const std::string& text, const std::string& family) {
  FitOptions options;
  options.family = family;
  options.restarts = 3;
  DesignRequest request;
  request.formula = parse_formula("y ~ x*colour | gate ~ x");
  request.target = find_family(family).target;
  BuiltDesign built = build_design(parse_csv(text, "t.csv"), request);
  Sample sample = built.sample;
  return {std::move(built), fit_mixture(std::move(sample), options)};
}

TEST(PredictTest, DensitiesAddUpToTheLikelihoodAndQuantilesInvertTheDistribution) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "poisson", "gamma", "logistic", "multinomial"}) {
    SCOPED_TRACE(family);
    Fitted fitted = fit_text(table_text(family, 200), family);
    const Prepared prepared = Prepared::under(fitted.fit.frame, fitted.built.sample);
    const Predictor predictor(*fitted.fit.model, prepared);
    double total = 0.0;
    std::vector<double> pit;
    for (std::int64_t n = 0; n < 200; ++n) {
      const RowPrediction row = predictor.row(n, kLevels);
      total += row.log_density;
      double gate = 0.0;
      double posterior = 0.0;
      for (const double w : row.gate) gate += w;
      for (const double h : row.posterior) posterior += h;
      EXPECT_NEAR(gate, 1.0, 1e-12);
      EXPECT_NEAR(posterior, 1.0, 1e-12);
      if (fitted.fit.frame.classes.empty()) {
        EXPECT_LE(row.quantiles[0], row.quantiles[1]);
        EXPECT_LE(row.quantiles[1], row.quantiles[2]);
        pit.push_back(row.pit);
      } else {
        double probability = 0.0;
        for (const double p : row.mean) probability += p;
        EXPECT_NEAR(probability, 1.0, 1e-12);
      }
    }
    EXPECT_NEAR(total, fitted.fit.log_likelihood, 1e-8 * std::fabs(total));
    if (pit.empty()) continue;
    double mean = 0.0;
    for (const double value : pit) mean += value / 200.0;
    EXPECT_NEAR(mean, 0.5, 0.05);  // the model is right, so that its transforms are uniform
  }
}

TEST(PredictTest, MomentsOfOneGaussianExpert) {
  FitOptions options;
  options.experts = 1;
  Sample sample;
  sample.columns = {{"x", {0.0, 1.0, 2.0, 3.0}}};
  sample.expert_inputs = {0};
  sample.targets = {{"y", {1.0, 3.5, 4.5, 7.0}}};
  const Fit fit = fit_mixture(sample, options);
  const Prepared prepared = Prepared::under(fit.frame, sample);
  const RowPrediction row = Predictor(*fit.model, prepared).row(1, kLevels);
  // Least squares by hand: slope 1.9, intercept 1.15, residuals -0.15, 0.45, -0.45, 0.15.
  const double sigma = std::sqrt((2 * 0.0225 + 2 * 0.2025) / 4.0);
  EXPECT_NEAR(row.mean[0], 3.05, 1e-12);
  EXPECT_NEAR(row.deviation[0], sigma, 1e-12);
  EXPECT_NEAR(row.quantiles[1], 3.05, 1e-9);
  EXPECT_NEAR(row.quantiles[2], 3.05 + 1.6448536269514722 * sigma, 1e-9);
  EXPECT_NEAR(row.log_density,
              -0.5 * std::log(2.0 * 3.14159265358979324 * sigma * sigma) - 0.2025 / (2.0 * sigma * sigma), 1e-10);
}

TEST(PredictTest, TheModelFileSaysTheSame) {
  const test::TemporaryFolder folder;
  for (const std::string family : {"gaussian", "multinomial"}) {
    SCOPED_TRACE(family);
    const std::string text = table_text(family, 120);
    Fitted fitted = fit_text(text, family);
    write_model(folder / "model.json", fitted.fit, fitted.built.design);
    const FittedModel read = read_model(folder / "model.json");
    BuiltDesign again = apply_design(parse_csv(text, "t.csv"), read.design, read.frame.classes, read.frame.target_kind);
    const Prepared ours = Prepared::under(fitted.fit.frame, fitted.built.sample);
    const Prepared theirs = Prepared::under(read.frame, std::move(again.sample));
    for (std::int64_t n = 0; n < 120; ++n) {
      const RowPrediction a = Predictor(*fitted.fit.model, ours).row(n, kLevels);
      const RowPrediction b = Predictor(*read.model, theirs).row(n, kLevels);
      EXPECT_EQ(a.mean, b.mean);
      EXPECT_EQ(a.quantiles, b.quantiles);
      EXPECT_EQ(a.log_density, b.log_density);
    }
  }
}

TEST(PredictTest, TextThatWasMeantToBeNumbers) {
  DesignRequest request;
  request.formula = parse_formula("y ~ x");
  const auto message = [&](const std::string& text) {
    return test::error_message([&] { build_design(parse_csv(text, "t.csv"), request); });
  };
  EXPECT_NE(message("y;x\n1;2,5\n2;3\n").find("column 'x' has text such as '2,5'; numbers with a decimal comma"),
            std::string::npos);
  EXPECT_NE(message("y;x\n1;2\n2,5;3\n").find("line 3, column 'y': '2,5' is no number; numbers with a decimal comma"),
            std::string::npos);
  EXPECT_NE(message("y,x\n1,2\nabc,3\n").find("line 3, column 'y': 'abc' is no number"), std::string::npos);
  CsvOptions commas;
  commas.decimal = ',';
  const auto message_with_commas = [&](const std::string& text) {
    return test::error_message([&] { build_design(parse_csv(text, "t.csv", commas), request); });
  };
  EXPECT_NE(
      message_with_commas("y;x\n1;2\n2;3.5\n").find("column 'x' has text such as '3.5'; numbers with a decimal point"),
      std::string::npos);
  EXPECT_NE(message_with_commas("y;x\n1;2\n2.5;3\n")
                .find("line 3, column 'y': '2.5' is no number; numbers with a decimal point"),
            std::string::npos);
  EXPECT_EQ(message_with_commas("y;x\n1;2,5\n2;3\n"), "no error");
  std::string many = "y,x\n";
  for (int n = 0; n < 60; ++n) many += fmt::format("{},{}\n", n, n == 40 ? "4O.5" : fmt::format("{}.5", n));
  EXPECT_NE(
      message(many).find("line 42, column 'x': '4O.5' is no number, and 59 of the column's 60 different values are"),
      std::string::npos);
  request.weights = "w";
  EXPECT_NE(message("y,x,w\n1,2,1\n2,3,-4\n").find("line 3, column 'w': -4, expected a weight of 0 or more"),
            std::string::npos);
  // What a row of weight 0 holds does not matter.
  request.target = TargetKind::kPositive;
  EXPECT_EQ(message("y,x,w\n1,2,1\n-2,3,0\n"), "no error");
  EXPECT_NE(message("y,x,w\n1,2,1\n-2,3,1\n").find("line 3, column 'y': -2, expected a number above 0"),
            std::string::npos);
}

TEST(PredictTest, NewTablesAreChecked) {
  const Fitted fitted = fit_text(table_text("gaussian", 120), "gaussian");
  const auto apply = [&](const std::string& text) {
    return test::error_message(
        [&] { apply_design(parse_csv(text, "new.csv"), fitted.built.design, {}, TargetKind::kNumber); });
  };
  EXPECT_EQ(apply("x,colour\n1,red\n2,blue\n"), "no error");
  EXPECT_EQ(apply("x,colour\n1,red\n2,green\n"),
            "new.csv: line 3, column 'colour': the level 'green' was not there at the fit, which had: blue, red");
  EXPECT_NE(apply("x,colour\n1,red\n,blue\n").find("new.csv: line 3, column 'x': the value is missing"),
            std::string::npos);
  EXPECT_NE(apply("x,color\n1,red\n").find("new.csv: no column 'colour' (did you mean 'color'?)"), std::string::npos);
  EXPECT_EQ(apply("x,colour\n1,7\n"), "new.csv: column 'colour' holds numbers, and held text at the fit");
}

TEST(PredictTest, DamagedModelFilesAreReadOrRefusedNothingElse) {
  const test::TemporaryFolder folder;
  const Fitted fitted = fit_text(table_text("gaussian", 60), "gaussian");
  write_model(folder / "model.json", fitted.fit, fitted.built.design);
  nlohmann::json small = nlohmann::json::parse(read_text_file(folder / "model.json"));
  small.erase("fit");
  const std::string original = small.dump();
  Random random(5);
  for (int i = 0; i < 150; ++i) {
    std::ofstream(folder / "damaged.json") << test::mutated(original, random);
    test::error_message([&] { read_model(folder / "damaged.json"); });
  }
}

}  // namespace predict_test
}  // namespace witan::mixtures
