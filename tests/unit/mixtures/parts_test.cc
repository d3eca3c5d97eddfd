// The small parts: trees, routers, special functions, least absolute deviations, blocks of rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "mixtures/distributions.h"
#include "mixtures/least_absolute.h"
#include "mixtures/router.h"
#include "mixtures/rows.h"
#include "mixtures/tree.h"
#include "support/error_message.h"

namespace witan::mixtures {
namespace parts_test {

TEST(TreeTest, EveryLeafHasOnePathAndEveryLevelItsBranches) {
  const Tree tree = Tree::parse("2x3x2");
  EXPECT_EQ(tree.leaves, 12);
  ASSERT_EQ(tree.nodes.size(), 1U + 2U + 6U);
  for (int leaf = 0; leaf < tree.leaves; ++leaf) {
    EXPECT_EQ(
        std::count_if(tree.nodes.begin(), tree.nodes.end(), [&](const TreeNode& n) { return n.child_of(leaf) >= 0; }),
        3);
  }
  EXPECT_EQ(tree.nodes[0].bounds, (std::vector<int>{0, 6, 12}));
  EXPECT_EQ(tree.nodes[2].bounds, (std::vector<int>{6, 8, 10, 12}));
}

TEST(TreeTest, RefusesWhatIsNoTree) {
  for (const char* text : {"", "2x", "x2", "1", "2x1", "2y2", "2x2000", "1000x1000"}) {
    EXPECT_NE(test::error_message([&] { Tree::parse(text); }), "no error") << text;
  }
}

std::vector<double> route(const Router& router, std::vector<double> a, std::vector<double> b,
                          std::int64_t first_row = 0) {
  std::vector<double*> columns = {a.data(), b.data()};
  std::vector<double> contributions(a.size());
  router.route(first_row, static_cast<std::int64_t>(a.size()), columns, contributions.data());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i] + b[i], 1.0, 1e-15);
  a.insert(a.end(), contributions.begin(), contributions.end());
  return a;
}

TEST(RouterTest, PosteriorHardAndStochastic) {
  const std::vector<double> a = {std::log(0.3), -1000.0, std::log(0.2)};
  const std::vector<double> b = {std::log(0.1), -1001.0, std::log(0.2)};
  const std::vector<double> posterior = route(*make_router("posterior", 1), a, b);
  EXPECT_NEAR(posterior[0], 0.75, 1e-15);
  EXPECT_NEAR(posterior[1], 1.0 / (1.0 + std::exp(-1.0)), 1e-15);
  EXPECT_NEAR(posterior[3], std::log(0.4), 1e-15);
  const std::vector<double> hard = route(*make_router("hard", 1), a, b);
  EXPECT_EQ(hard[0], 1.0);
  EXPECT_EQ(hard[2], 1.0);  // a tie goes to the first
  EXPECT_EQ(hard[3], std::log(0.3));

  // Drawn shares approach the posterior, and a row draws the same in any block.
  const std::vector<double> many_a(4000, std::log(0.3));
  const std::vector<double> many_b(4000, std::log(0.1));
  const auto stochastic = make_router("stochastic", 7);
  stochastic->begin_iteration(3);
  const std::vector<double> drawn = route(*stochastic, many_a, many_b);
  double share = 0.0;
  for (std::size_t i = 0; i < 4000; ++i) share += drawn[i] / 4000.0;
  EXPECT_NEAR(share, 0.75, 0.03);
  const std::vector<double> tail =
      route(*stochastic, {many_a.begin(), many_a.begin() + 100}, {many_b.begin(), many_b.begin() + 100}, 1000);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(tail[i], drawn[1000 + i]);
  EXPECT_NE(test::error_message([] { make_router("posterio", 1); }).find("did you mean 'posterior'"),
            std::string::npos);
}

TEST(DistributionsTest, KnownValues) {
  EXPECT_NEAR(normal_cdf(1.959963984540054), 0.975, 1e-15);
  EXPECT_NEAR(student_t_cdf(1.0, 1.0), 0.75, 1e-14);  // Cauchy
  EXPECT_NEAR(student_t_cdf(-2.919985580353726, 2.0), 0.05, 1e-13);
  EXPECT_NEAR(student_t_cdf(1.6525081009, 200.0), 0.95, 1e-9);
  EXPECT_NEAR(laplace_cdf(-std::log(2.0)), 0.25, 1e-15);
  EXPECT_NEAR(poisson_cdf(2.0, 3.0), std::exp(-3.0) * (1.0 + 3.0 + 4.5), 1e-14);
  EXPECT_EQ(poisson_cdf(-1.0, 3.0), 0.0);
  EXPECT_NEAR(gamma_cdf(2.0, 1.0), 1.0 - std::exp(-2.0), 1e-15);
  EXPECT_NEAR(gamma_cdf(0.7, 2.0), 1.0 - 1.7 * std::exp(-0.7), 1e-15);
  EXPECT_NEAR(gamma_cdf(1e-3, 0.5) / std::erf(std::sqrt(1e-3)), 1.0, 1e-13);
  EXPECT_NEAR(gamma_cdf(1e8, 1e8), 0.5 + 1.0 / (3.0 * std::sqrt(2.0 * 3.14159265358979324e8)), 1e-11);
  EXPECT_NEAR(beta_cdf(0.3, 2.0, 1.0), 0.09, 1e-15);
  EXPECT_NEAR(beta_cdf(0.9, 1.0, 3.0), 1.0 - 1e-3, 1e-15);
  EXPECT_NEAR(poisson_cdf(1000.0, 1000.0), 0.508409, 1e-6);
  EXPECT_NEAR(digamma(1.0), -0.57721566490153286, 1e-14);
  EXPECT_NEAR(trigamma(1.0), 1.6449340668482264, 1e-14);
  EXPECT_NEAR(digamma(150.5), (std::lgamma(150.5 + 1e-4) - std::lgamma(150.5 - 1e-4)) / 2e-4, 1e-8);
}

TEST(DistributionsTest, NormalizerOfGammaDensities) {
  // Both formulas meet at 10, and derivatives are those of the value.
  for (const double a : {0.01, 0.7, 3.0, 9.999999, 10.000001, 40.0, 1e4}) {
    SCOPED_TRACE(a);
    const auto value = [](double at) { return at * std::log(at) - at - std::lgamma(at); };
    const auto [c, first, second] = gamma_normalizer(a);
    EXPECT_NEAR(c, value(a), 1e-14 * (1.0 + a * std::log(1.0 + a)));
    const double step = 1e-4 * a;
    EXPECT_NEAR(first, (gamma_normalizer(a + step)[0] - gamma_normalizer(a - step)[0]) / (2.0 * step), 1e-7 * first);
    EXPECT_NEAR(second, (gamma_normalizer(a + step)[1] - gamma_normalizer(a - step)[1]) / (2.0 * step),
                1e-7 * std::fabs(second));
  }
  EXPECT_NEAR(gamma_normalizer(10.0 - 1e-9)[0], gamma_normalizer(10.0)[0], 1e-9);
  EXPECT_NEAR(gamma_normalizer(1e9)[1], 0.5e-9, 1e-18);
}

// Of every corner of the objective the best: the obvious way, for two inputs.
double best_of_all_pairs(const Rows& rows, Column y, const std::vector<double>& w) {
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t a = 0; a < rows.count; ++a) {
    for (std::int64_t b = a + 1; b < rows.count; ++b) {
      const double dx = rows.inputs[1][b] - rows.inputs[1][a];
      if (dx == 0.0) continue;
      const double slope = (y[b] - y[a]) / dx;
      const Eigen::Vector2d line(y[a] - slope * rows.inputs[1][a], slope);
      best = std::min(best, absolute_deviations(rows, y, w.data(), line));
    }
  }
  return best;
}

TEST(LeastAbsoluteTest, FindsTheBestCornerAlsoAmongDuplicates) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<double> x, y, w;
    for (int n = 0; n < 40; ++n) {
      // Whole numbers, so that rows and residuals coincide.
      x.push_back(seed % 2 == 0 ? random.uniform_open() : static_cast<double>(random.below(6)));
      y.push_back(seed % 2 == 0 ? random.normal() : static_cast<double>(random.below(5)));
      w.push_back(n % 7 == 0 ? 0.0 : random.uniform_open());
    }
    const Rows rows{40, {nullptr, x.data()}, {}};
    Eigen::VectorXd b = Eigen::VectorXd::Zero(2);
    ASSERT_TRUE(minimize_absolute_deviations(rows, y.data(), w.data(), b));
    EXPECT_NEAR(absolute_deviations(rows, y.data(), w.data(), b), best_of_all_pairs(rows, y.data(), w), 1e-10);
  }
}

TEST(LeastAbsoluteTest, RowsThatDoNotSpanTheInputs) {
  const std::vector<double> x = {2.0, 2.0, 2.0};
  const std::vector<double> w = {1.0, 1.0, 1.0};
  const Rows rows{3, {nullptr, x.data()}, {}};
  Eigen::VectorXd b = Eigen::VectorXd::Constant(2, 5.0);
  EXPECT_FALSE(minimize_absolute_deviations(rows, x.data(), w.data(), b));
  EXPECT_EQ(b(0), 5.0);
}

TEST(RowsTest, SumsAreTheSameBitsForAnyNumberOfThreads) {
  std::vector<double> x(100'003);
  Random random(5);
  for (double& value : x) value = random.normal();
  const auto sum = [&] {
    double total = 0.0;
    sum_blocks(std::ssize(x), 1, &total, [&](std::int64_t begin, std::int64_t count, double* partial) {
      for (std::int64_t i = begin; i < begin + count; ++i) partial[0] += x[static_cast<std::size_t>(i)];
    });
    return total;
  };
  const int before = num_threads();
  set_num_threads(1);
  const double one = sum();
  set_num_threads(3);
  EXPECT_EQ(sum(), one);
  set_num_threads(before);
}

}  // namespace parts_test
}  // namespace witan::mixtures
