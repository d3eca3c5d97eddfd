// Scores and diagrams against counts by hand, and against distributions that are right, too wide or too narrow.
#include "mixtures/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"
#include "mixtures/fit.h"
#include "mixtures/row_distribution.h"

namespace witan::mixtures {
namespace calibration_test {

Sample normal_sample(int rows) {
  Random random(8);
  Sample sample;
  sample.columns = {{"x", {}}};
  sample.expert_inputs = {0};
  sample.targets = {{"y", {}}};
  for (int n = 0; n < rows; ++n) {
    sample.columns[0].values.push_back(random.normal());
    sample.targets[0].values.push_back(2.0 * sample.columns[0].values.back() + 3.0 * random.normal());
  }
  return sample;
}

FitOptions one_expert(const std::string& family) {
  FitOptions options;
  options.family = family;
  options.experts = 1;
  return options;
}

TEST(CalibrationTest, TheRightDistributionIsCalibrated) {
  const Prepared rows = Prepared::from(normal_sample(4000), TargetKind::kNumber, 1);
  const Fit fit = fit_mixture(rows, one_expert("gaussian"));
  const Calibration all = calibrate(*fit.model, rows);
  EXPECT_EQ(all.rows, 4000);
  EXPECT_NEAR(all.nll, -fit.log_likelihood / 4000.0, 1e-12);
  EXPECT_NEAR(std::accumulate(all.pit.begin(), all.pit.end(), 0.0), 1.0, 1e-12);
  for (const double share : all.pit) EXPECT_NEAR(share, 0.05, 0.015);
  for (std::size_t i = 0; i < all.coverage.size(); ++i) EXPECT_NEAR(all.coverage[i], kCoverageLevels[i], 0.025);
  // Of a normal distribution with sd s, the expected score is s / sqrt(pi).
  EXPECT_NEAR(all.crps.value(), all.rmse / std::sqrt(3.14159265358979), 0.02);
}

TEST(CalibrationTest, TooNarrowAndTooWide) {
  const Prepared rows = Prepared::from(normal_sample(2000), TargetKind::kNumber, 1);
  const Fit fit = fit_mixture(rows, one_expert("gaussian"));
  Eigen::VectorXd at = fit.model->parameters();
  const double log_precision = at(at.size() - 1);
  at(at.size() - 1) = log_precision + 1.0;
  fit.model->set_parameters(at);
  const Calibration narrow = calibrate(*fit.model, rows);
  EXPECT_LT(narrow.coverage[2], 0.6);
  EXPECT_GT(narrow.pit.front() + narrow.pit.back(), 0.3);
  at(at.size() - 1) = log_precision - 1.0;
  fit.model->set_parameters(at);
  const Calibration wide = calibrate(*fit.model, rows);
  EXPECT_GT(wide.coverage[0], 0.9);
  EXPECT_LT(wide.pit.front() + wide.pit.back(), 0.01);
}

TEST(CalibrationTest, CountsSpreadOverTheirJump) {
  Sample sample;
  sample.targets = {{"y", {0.0, 0.0, 1.0, 2.0}}};
  sample.expert_intercept = true;
  const Prepared rows = Prepared::from(sample, TargetKind::kCount, 1);
  const Fit fit = fit_mixture(rows, one_expert("poisson"));
  const Calibration all = calibrate(*fit.model, rows);
  // Mean 3/4: F(0) = exp(-3/4). The two zeros spread over [0, F(0)].
  const double zero = std::exp(-0.75);
  EXPECT_NEAR(all.pit[0], 0.5 * 0.05 / zero, 1e-5);
  EXPECT_NEAR(std::accumulate(all.pit.begin(), all.pit.end(), 0.0), 1.0, 1e-12);
  EXPECT_NEAR(all.nll, -(2.0 * -0.75 + (std::log(0.75) - 0.75) + (2.0 * std::log(0.75) - 0.75 - std::log(2.0))) / 4.0,
              1e-9);
}

TEST(CalibrationTest, ClassesByHand) {
  Sample sample;
  sample.classes = {"no", "yes"};
  sample.targets = {{"y", {0.0, 1.0, 1.0, 1.0}}};
  sample.weights = {1.0, 1.0, 2.0, 1.0};
  const Prepared rows = Prepared::from(sample, TargetKind::kClass, 1);
  FitOptions options = one_expert("logistic");
  options.expert_ridge = 0.0;
  const Fit fit = fit_mixture(rows, options);
  // Without inputs every record has probability 4/5.
  const Calibration all = calibrate(*fit.model, rows);
  EXPECT_NEAR(all.accuracy, 0.8, 1e-9);
  EXPECT_NEAR(all.brier, (1.0 * 2.0 * 0.64 + 4.0 * 2.0 * 0.04) / 5.0, 1e-9);
  EXPECT_NEAR(all.expected_calibration_error, 0.0, 1e-9);
  const ReliabilityBin& bin = all.reliability[12];
  EXPECT_NEAR(all.reliability[11].weight + bin.weight, 5.0, 1e-12);  // 0.8 is the edge between both
}

}  // namespace calibration_test
}  // namespace witan::mixtures
