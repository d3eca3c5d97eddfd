// GShard's second-expert policies, its two passes, groups and slot counters.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "routers/table.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace gshard_test {

RouterOptions gshard(const char* policy, double capacity = 0.0) {
  RouterOptions options;
  options.router = "gshard";
  options.num_experts = 3;
  options.num_experts_per_tok = 2;
  options.capacity_factor = options.eval_capacity_factor = capacity;
  options.min_capacity = 1;
  options.fields().find("second_policy").set(policy);
  return options;
}

Routing route(const RouterOptions& options, const Tensor& scores, bool training, Random* random = nullptr) {
  Random unused(1);
  Tape off;
  Routing routing =
      find_router("gshard").make(options, 4, unused)->route(off, scores, {.training = training, .random = random});
  routing.assignment->validate();
  return routing;
}

std::vector<std::int32_t> rows_of(const Routing& routing, std::int64_t expert) {
  const auto rows = routing.assignment->rows_of(expert);
  return {rows.begin(), rows.end()};
}

// g1 and g2 of every row are softmax(gap, 0).
Tensor rows_with_gap(std::int64_t rows, float gap) {
  Tensor scores = Tensor::uninitialized({rows, 3});
  for (std::int64_t row = 0; row < rows; ++row) {
    scores.matrix()(row, 0) = gap;
    scores.matrix()(row, 1) = 0.0F;
    scores.matrix()(row, 2) = -9.0F;
  }
  return scores;
}

TEST(GShardRouterTest, RandomAsksWithTwiceTheSecondWeight) {
  constexpr int kRows = 20000;
  Random random(3);
  const float gap = std::log(4.0F);  // g1 = 0.8, g2 = 0.2
  const Routing routing = route(gshard("random"), rows_with_gap(kRows, gap), true, &random);
  EXPECT_EQ(routing.assignment->load(0), kRows);
  EXPECT_NEAR(static_cast<double>(routing.assignment->load(1)), 0.4 * kRows, 5.0 * std::sqrt(0.24 * kRows));
  EXPECT_EQ(routing.assignment->num_dropped(), 0);                // what is not asked for is not dropped
  EXPECT_NEAR(routing.combine_weights.values()[0], 0.8F, 1e-6F);  // whether the second serves or not
}

TEST(GShardRouterTest, ThresholdAllAndNone) {
  const auto seconds = [](const char* policy, float g2, bool training) {
    const float gap = std::log((1.0F - g2) / g2);
    return route(gshard(policy), rows_with_gap(4, gap), training).assignment->load(1);
  };
  EXPECT_EQ(seconds("threshold", 0.21F, true), 4);
  EXPECT_EQ(seconds("threshold", 0.19F, true), 0);
  EXPECT_EQ(seconds("threshold", 0.19F, false), 4);
  EXPECT_EQ(seconds("random", 0.001F, false), 4);
  EXPECT_EQ(seconds("all", 0.001F, true), 4);
  EXPECT_EQ(seconds("none", 0.499F, true), 0);
  EXPECT_EQ(seconds("none", 0.499F, false), 0);
}

TEST(GShardRouterTest, FirstChoicesTakeTheirPlacesBeforeSecondOnes) {
  // Rows 0, 1 want expert 0 then 1; rows 2, 3 want 1 then 0.
  const Tensor scores = Tensor::from({4, 3}, std::vector<float>{2.0F, 1.0F, 0.0F, 2.0F, 1.0F, 0.0F,  //
                                                                1.0F, 2.0F, 0.0F, 1.0F, 2.0F, 0.0F});
  // C = ceil(2 * 4 * cf / 3).
  const Routing three = route(gshard("all", 1.0), scores, true);
  EXPECT_EQ(rows_of(three, 0), (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_EQ(rows_of(three, 1), (std::vector<std::int32_t>{0, 2, 3}));
  const Routing one = route(gshard("all", 0.3), scores, true);
  EXPECT_EQ(rows_of(one, 0), (std::vector<std::int32_t>{0}));
  EXPECT_EQ(rows_of(one, 1), (std::vector<std::int32_t>{2}));
  EXPECT_EQ(one.assignment->num_dropped(), 6);
}

TEST(GShardRouterTest, GroupsHaveACapacityEach) {
  RouterOptions options = gshard("none", 1.0);
  options.fields().find("gshard_group_size").set("3");
  const Routing routing = route(options, rows_with_gap(7, 1.0F), true);  // groups of 3, 3 and 1 rows: 2, 2 and 1 places
  EXPECT_EQ(rows_of(routing, 0), (std::vector<std::int32_t>{0, 1, 3, 4, 6}));
  EXPECT_EQ(route(gshard("none", 1.0), rows_with_gap(7, 1.0F), true).assignment->load(0), 5);
}

TEST(GShardRouterTest, ASkippedChoiceMayHoldItsPlace) {
  // Rows 0 and 1 want 0 then 1 with g2 below the threshold, row 2 wants 2 then 1 with g2 above it.
  const Tensor scores =
      Tensor::from({3, 3}, std::vector<float>{4.0F, 0.0F, -9.0F, 4.0F, 0.0F, -9.0F, -9.0F, 0.0F, 0.5F});
  RouterOptions options = gshard("threshold", 0.9);  // C = ceil(1.8) = 2
  EXPECT_EQ(rows_of(route(options, scores, true), 1), (std::vector<std::int32_t>{2}));
  options.fields().find("second_skipped_occupies").set("true");
  const Routing held = route(options, scores, true);
  EXPECT_EQ(held.assignment->load(1), 0);
  EXPECT_EQ(held.assignment->num_dropped(), 1);
}

TEST(GShardRouterTest, RefusesOtherNumbersOfExperts) {
  RouterOptions options = gshard("all");
  options.num_experts_per_tok = 1;
  EXPECT_NE(test::error_message([&] { route(options, rows_with_gap(1, 1.0F), false); }).find("expected 2"),
            std::string::npos);
}

}  // namespace gshard_test
}  // namespace witan
