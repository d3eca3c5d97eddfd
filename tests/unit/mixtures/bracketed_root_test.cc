// Roots against what is known of them, with the calls that they took.
#include "mixtures/bracketed_root.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace witan::mixtures {
namespace bracketed_root_test {

struct Search {
  double root;
  int calls;
};

Search search(const std::function<double(double)>& f, double low, double high) {
  int calls = 0;
  const double root = bracketed_root(
      [&](double x) {
        ++calls;
        return f(x);
      },
      low, high);
  return {root, calls};
}

TEST(BracketedRootTest, FindsRootsOfSmoothFunctionsInFewCalls) {
  const Search cubic = search([](double x) { return x * x * x - 2.0; }, -10.0, 10.0);
  EXPECT_DOUBLE_EQ(cubic.root, std::cbrt(2.0));
  EXPECT_LE(cubic.calls, 25);
  const Search falling = search([](double x) { return 1.0 - std::exp(x - 3.0); }, 0.0, 100.0);
  EXPECT_DOUBLE_EQ(falling.root, 3.0);
  EXPECT_LE(falling.calls, 25);
}

TEST(BracketedRootTest, FindsJumpsAndFlatStretches) {
  EXPECT_NEAR(search([](double x) { return x < 0.3 ? -1.0 : 1.0; }, -5.0, 5.0).root, 0.3, 1e-15);
  // Flat to rounding almost everywhere: a distribution function far out in its tails.
  const Search tail = search([](double x) { return 0.5 * std::erfc(-(x - 1.0) / 1e-6) - 0.75; }, -1e6, 1e6);
  EXPECT_NEAR(tail.root, 1.0 + 1e-6 * 0.476936276204469873, 4e-15);
  EXPECT_LE(tail.calls, 100);
}

TEST(BracketedRootTest, TakesBoundsThatAreRoots) {
  EXPECT_EQ(search([](double x) { return x; }, 0.0, 1.0).root, 0.0);
  EXPECT_EQ(search([](double x) { return x; }, -1.0, 0.0).root, 0.0);
}

}  // namespace bracketed_root_test
}  // namespace witan::mixtures
