// Distributions of single rows: scores, modes and draws against their definitions.
#include "mixtures/row_distribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "mixtures/fit.h"

namespace witan::mixtures {
namespace row_distribution_test {

// A fitted model set to known parameters, so that a row's distribution is known.
struct Known {
  Known(const std::string& family, std::vector<double> values) {
    Sample sample;
    sample.columns = {{"x", {-1.0, -0.4, 0.2, 0.9, 1.5, 2.0, 2.2, 2.8}}};
    sample.expert_inputs = {0};
    sample.gate_inputs = {0};
    sample.targets = {{"y", std::move(values)}};
    if (family == "multinomial") sample.classes = {"a", "b", "c"};
    options.family = family;
    options.experts = 2;
    prepared = Prepared::from(std::move(sample), find_family(family).target, 2);
    model = make_model(prepared.frame(), options);
    Eigen::VectorXd at = model->parameters();
    Random random(3);
    for (double& value : at) value += 0.5 * random.normal();
    model->set_parameters(at);
  }
  RowDistribution row(std::int64_t n) const { return {*model, prepared, n}; }
  FitOptions options;
  Prepared prepared;
  std::unique_ptr<Model> model;
};

const std::vector<double> kNumbers = {3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0, 3.5};
const std::vector<double> kCounts = {3.0, 1.0, 4.0, 1.0, 9.0, 2.0, 6.0, 5.0};
const std::vector<double> kClasses = {0.0, 1.0, 2.0, 1.0, 0.0, 2.0, 2.0, 1.0};

const std::vector<double>& targets_of(const std::string& family) {
  const TargetKind kind = find_family(family).target;
  return kind == TargetKind::kClass ? kClasses : (kind == TargetKind::kCount ? kCounts : kNumbers);
}

TEST(RowDistributionTest, ScoreIsTheIntegralOfItsDefinition) {
  for (const std::string family : {"gaussian", "laplace", "gamma"}) {
    SCOPED_TRACE(family);
    const Known known(family, kNumbers);
    for (std::int64_t n = 0; n < 4; ++n) {
      const RowDistribution row = known.row(n);
      const double y = kNumbers[static_cast<std::size_t>(n)];
      // Integral of (F(t) - [t >= y])^2 by the midpoint rule.
      double integral = 0.0;
      const double step = 2e-3;
      for (double t = -100.0 + 0.5 * step; t < 100.0; t += step) {
        const double distance = row.cdf(t) - (t >= y ? 1.0 : 0.0);
        integral += step * distance * distance;
      }
      EXPECT_NEAR(row.crps(y).value(), integral, 2e-3);
    }
  }
  EXPECT_FALSE(Known("student_t", kNumbers).row(0).crps(1.0).has_value());
}

TEST(RowDistributionTest, ModesAreTheHighestPlacesAround) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "gamma", "poisson"}) {
    SCOPED_TRACE(family);
    const Known known(family, targets_of(family));
    const bool counts = family == "poisson";
    for (std::int64_t n = 0; n < 8; ++n) {
      const RowDistribution row = known.row(n);
      const auto density = [&](double y) { return row.log_density(std::vector<double>{y}); };
      const std::vector<double> modes = row.modes();
      ASSERT_FALSE(modes.empty());
      EXPECT_LE(modes.size(), 2U);
      double highest = -1e300;
      for (const double mode : modes) {
        const double step = counts ? 1.0 : 1e-3;
        if (mode >= step || !counts) {
          EXPECT_GE(density(mode), density(mode - step));
        }
        EXPECT_GE(density(mode), density(mode + step));
        highest = std::max(highest, density(mode));
      }
      // No point of a grid stands higher.
      for (double y = counts ? 0.0 : -40.0; y < 40.0; y += counts ? 1.0 : 0.01) EXPECT_LE(density(y), highest + 1e-6);
    }
  }
}

TEST(RowDistributionTest, DensitiesAndQuantilesBelongToTheDistributionFunction) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "gamma"}) {
    SCOPED_TRACE(family);
    const Known known(family, targets_of(family));
    const RowDistribution row = known.row(2);
    for (const double level : {0.07, 0.5, 0.9}) {
      const double y = row.quantile(level);
      EXPECT_NEAR(row.cdf(y), level, 1e-9);
      const double slope = (row.cdf(y + 1e-4) - row.cdf(y - 1e-4)) / 2e-4;
      EXPECT_NEAR(std::log(slope), row.log_density(std::vector<double>{y}), 1e-4);
    }
  }
  const Known known("poisson", kCounts);
  const RowDistribution counts = known.row(1);
  double sum = 0.0;
  for (int y = 0; y <= 6; ++y) sum += std::exp(counts.log_density(std::vector<double>{static_cast<double>(y)}));
  EXPECT_NEAR(sum, counts.cdf(6.0), 1e-12);
}

TEST(RowDistributionTest, DrawsFollowTheDistribution) {
  constexpr int kDraws = 4000;
  for (const std::string family : {"gaussian", "student_t", "laplace", "gamma", "poisson", "multinomial"}) {
    SCOPED_TRACE(family);
    const Known known(family, targets_of(family));
    const RowDistribution row = known.row(3);
    Random random(17);
    if (family == "multinomial") {
      std::vector<double> shares(3, 0.0);
      for (int i = 0; i < kDraws; ++i) shares[static_cast<std::size_t>(row.draw(random)[0])] += 1.0 / kDraws;
      for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(shares[c], row.mean()[c], 0.04);
      continue;
    }
    // Shares below quantiles, within four standard errors.
    for (const double level : {0.1, 0.5, 0.8}) {
      const double y = row.quantile(level);
      double below = 0.0;
      for (int i = 0; i < kDraws; ++i) below += row.draw(random)[0] <= y ? 1.0 / kDraws : 0.0;
      EXPECT_NEAR(below, row.cdf(y), 4.0 * std::sqrt(0.25 / kDraws));
    }
  }
}

}  // namespace row_distribution_test
}  // namespace witan::mixtures
