// normal_quantile: the inverse of the distribution function, in the middle and far out.
#include "base/normal_quantile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace witan {
namespace normal_quantile_test {

double lower_tail(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

TEST(NormalQuantileTest, InvertsTheDistributionFunction) {
  for (double x = -8.0; x < 5.0; x += 0.037) {
    EXPECT_NEAR(normal_quantile(lower_tail(x)), x, 1e-12 + 2e-16 / std::exp(-0.5 * x * x)) << x;
  }
}

TEST(NormalQuantileTest, SeveralAtATimeAreTheSameBits) {
  for (const std::size_t count : {0, 1, 7, 8, 9, 100}) {
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    std::vector<double> expected = values;
    for (double& value : expected) value = normal_quantile(value);
    normal_quantiles(values);
    EXPECT_EQ(values, expected);
  }
}

TEST(NormalQuantileTest, KnownValues) {
  EXPECT_EQ(normal_quantile(0.5), 0.0);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-3), -3.090232306167813, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-20), -9.262340089798408, 1e-13);
}

TEST(NormalQuantileTest, IsOddAndContinuousWhereTheFormulasMeet) {
  for (const double p : {0.01, 0.0749999, 0.075, 0.2, 0.4999}) {
    EXPECT_NEAR(normal_quantile(p), -normal_quantile(1.0 - p), 1e-13) << p;
  }
  EXPECT_NEAR(normal_quantile(0.075 - 1e-13), normal_quantile(0.075 + 1e-13), 1e-11);
}

}  // namespace normal_quantile_test
}  // namespace witan
