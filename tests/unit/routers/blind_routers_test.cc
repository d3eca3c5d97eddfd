// Routers that do not look at their rows: random and uniform.
#include <gtest/gtest.h>

#include <cmath>

#include "support/routed.h"

namespace witan {
namespace blind_routers_test {

using Experts = std::vector<std::vector<std::int64_t>>;

Experts route(Router& router, std::int64_t rows_count, RouterContext context) {
  const Tensor rows = Tensor::zeros({rows_count, 3});
  context.rows = &rows;
  Tape off;
  const Routing routing = router.route(off, {}, context);
  routing.assignment->validate();
  return test::experts_of_rows(*routing.assignment);
}

TEST(RandomRouterTest, AllSetsOfExpertsAreEquallyLikely) {
  constexpr std::int64_t kRows = 12000;
  const auto router = test::router_of("random", 4, 2);
  Random random(3);
  for (const bool training : {true, false}) {
    std::vector<double> sets(16, 0.0);
    for (const auto& experts : route(*router, kRows, {.training = training, .random = &random})) {
      ASSERT_EQ(experts.size(), 2U);
      sets[static_cast<std::size_t>(experts[0] * 4 + experts[1])] += 1.0;
    }
    for (std::size_t a = 0; a < 4; ++a) {
      for (std::size_t b = a + 1; b < 4; ++b) {
        EXPECT_NEAR(sets[a * 4 + b], kRows / 6.0, 5.0 * std::sqrt(kRows / 6.0)) << a << ", " << b;
      }
    }
  }
}

TEST(RandomRouterTest, TrainingDrawsAfreshAndEvaluationFollowsThePosition) {
  const auto router = test::router_of("random", 16, 2);
  Random random(3);
  EXPECT_NE(route(*router, 50, {.training = true, .random = &random}),
            route(*router, 50, {.training = true, .random = &random}));
  const Experts all = route(*router, 50, {});
  EXPECT_EQ(route(*router, 50, {}), all);
  const std::vector<std::int32_t> seventh = {7};
  EXPECT_EQ(route(*router, 1, {.positions = seventh})[0], all[7]) << "as in generation";
  EXPECT_NE(route(*test::router_of("random", 16, 2, {}, 2), 50, {}), all) << "another layer";
}

TEST(RandomRouterTest, TheSeedIsSaved) {
  const auto first = test::router_of("random", 16, 2, {}, 1);
  const auto second = test::router_of("random", 16, 2, {}, 2);
  std::ranges::copy(first->buffers().at(0).value.values(), second->buffers().at(0).value.data());
  EXPECT_EQ(route(*first, 50, {}), route(*second, 50, {}));
}

TEST(UniformRouterTest, ExpertsTakeTurns) {
  const auto router = test::router_of("uniform", 6, 4);
  const Experts expected = {{0, 1, 2, 3}, {0, 1, 4, 5}, {2, 3, 4, 5}, {0, 1, 2, 3}};
  EXPECT_EQ(route(*router, 4, {}), expected);
  const std::vector<std::int32_t> second = {1};
  EXPECT_EQ(route(*router, 1, {.positions = second})[0], expected[1]);
}

TEST(UniformRouterTest, LoadsDifferByOneAtTheMost) {
  for (const std::int64_t k : {1, 2, 5, 7}) {
    const auto router = test::router_of("uniform", 7, k);
    const Tensor rows = Tensor::zeros({33, 3});
    Tape off;
    const auto loads = test::loads_of(*router->route(off, {}, {.rows = &rows}).assignment);
    EXPECT_LE(*std::ranges::max_element(loads) - *std::ranges::min_element(loads), 1);
  }
}

}  // namespace blind_routers_test
}  // namespace witan
