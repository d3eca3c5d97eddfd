// Batch-prioritised routing: who is dropped, and the rounding of the capacity.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "routers/table.h"
#include "support/gradient_check.h"

namespace witan {
namespace batch_prioritized_test {

Routing route(const RouterOptions& options, const Tensor& scores) {
  Random random(1);
  Tape off;
  Routing routing = find_router(options.router).make(options, 4, random)->route(off, scores, {.training = true});
  routing.assignment->validate();
  return routing;
}

RouterOptions prioritized(double capacity) {
  RouterOptions options;
  options.router = "batch_prioritized";
  options.num_experts = 4;
  options.num_experts_per_tok = 1;
  options.capacity_factor = capacity;
  return options;
}

TEST(BatchPrioritizedRouterTest, TheSurestRowsAreServedWhereverTheyStand) {
  Tensor scores = Tensor::zeros({40, 4});
  for (std::int64_t row = 0; row < 40; ++row) scores.matrix()(row, 2) = 1.0F + 0.1F * static_cast<float>(row * 7 % 40);
  const Routing routing = route(prioritized(0.7), scores);  // round(0.7 * 40 / 4) = 7, up to 8
  ASSERT_EQ(routing.assignment->load(2), 8);
  for (const std::int32_t row : routing.assignment->rows_of(2)) EXPECT_GE(row * 7 % 40, 32);
}

TEST(BatchPrioritizedRouterTest, PermutingRowsPermutesWhoIsServed) {
  const Tensor scores = test::random_tensor({40, 4}, 3);
  Tensor reversed = Tensor::uninitialized({40, 4});
  for (std::int64_t row = 0; row < 40; ++row) {
    std::copy_n(scores.matrix().row(row), 4, reversed.matrix().row(39 - row));
  }
  RouterOptions options = prioritized(0.5);
  options.num_experts_per_tok = 2;
  const Routing forwards = route(options, scores);
  const Routing backwards = route(options, reversed);
  EXPECT_GT(forwards.assignment->num_dropped(), 0);
  for (std::int64_t e = 0; e < 4; ++e) {
    std::vector<std::int32_t> mirrored;
    for (const std::int32_t row : backwards.assignment->rows_of(e)) mirrored.push_back(39 - row);
    std::ranges::reverse(mirrored);
    EXPECT_TRUE(std::ranges::equal(forwards.assignment->rows_of(e), mirrored));
  }
}

TEST(BatchPrioritizedRouterTest, CapacityIsRoundedToAMultipleOfFour) {
  const auto places = [](double factor, std::int64_t rows) {
    Tensor scores = Tensor::zeros({rows, 4});
    for (std::int64_t row = 0; row < rows; ++row) scores.matrix()(row, 0) = 1.0F;
    return route(prioritized(factor), scores).assignment->load(0);
  };
  EXPECT_EQ(places(RouterOptions::kRouterDefault, 100), 28);  // round(26.25) = 26
  EXPECT_EQ(places(1.0, 100), 28);
  EXPECT_EQ(places(1.0, 64), 16);
  EXPECT_EQ(places(0.01, 64), 4);
}

// V-MoE as published: noise of deviation 1 / E before the same priority.
TEST(BatchPrioritizedRouterTest, NoisyTopKTakesThePolicyToo) {
  RouterOptions options = prioritized(0.7);
  options.router = "noisy_top_k";
  options.weighting = "softmax_then_topk";
  options.drop_policy = "priority";
  options.fields().find("router_noise").set("none");
  Tensor scores = Tensor::zeros({40, 4});
  for (std::int64_t row = 0; row < 40; ++row) scores.matrix()(row, 2) = 1.0F + 0.1F * static_cast<float>(row);
  const Routing routing = route(options, scores);
  ASSERT_EQ(routing.assignment->load(2), 7);
  EXPECT_EQ(routing.assignment->rows_of(2).front(), 33);
}

}  // namespace batch_prioritized_test
}  // namespace witan
