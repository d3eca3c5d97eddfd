// What top_k and switch accept, refuse and drop; what all routers keep is in tests/contract.
#include "routers/top_k.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "routers/table.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace top_k_test {

std::unique_ptr<Router> make(const RouterOptions& options) {
  Random random(1);
  return find_router(options.router).make(options, 4, random);
}

RouterOptions top_k(std::int64_t experts, std::int64_t k, const char* weighting = "topk_then_softmax") {
  RouterOptions options;
  options.num_experts = experts;
  options.num_experts_per_tok = k;
  options.weighting = weighting;
  return options;
}

RouterOptions switch_of(std::int64_t experts) {
  RouterOptions options = top_k(experts, 1);
  options.router = "switch";
  return options;
}

// Rows that all want expert 0 most.
Tensor crowded(std::int64_t rows, std::int64_t experts) {
  Tensor scores = Tensor::zeros({rows, experts});
  for (std::int64_t row = 0; row < rows; ++row) scores.matrix()(row, 0) = 1.0F;
  return scores;
}

TEST(TopKRouterTest, RefusesMoreChoicesThanExperts) {
  EXPECT_NE(test::error_message([] { make(top_k(8, 9)); }).find("num_experts_per_tok=9 exceeds num_experts=8"),
            std::string::npos);
}

TEST(TopKRouterTest, RefusesTheConstantWeight) {
  for (const char* const weighting : {"topk_then_softmax", "softmax_topk_norm", "sigmoid_topk_norm"}) {
    EXPECT_NE(test::error_message([&] { make(top_k(8, 1, weighting)); }).find("gets no gradient"), std::string::npos)
        << weighting;
    EXPECT_NO_THROW(make(top_k(1, 1, weighting))) << weighting;
  }
  EXPECT_NO_THROW(make(top_k(8, 1, "softmax_then_topk")));
  EXPECT_NO_THROW(make(top_k(8, 1, "scaled")));
}

TEST(TopKRouterTest, DroplessUnlessACapacityIsSet) {
  Tape off;
  RouterOptions options = top_k(4, 1, "softmax_then_topk");
  const Tensor scores = crowded(40, 4);
  for (const bool training : {true, false}) {
    EXPECT_EQ(make(options)->route(off, scores, {.training = training}).assignment->num_dropped(), 0);
  }
  options.capacity_factor = 1.0;
  EXPECT_EQ(make(options)->route(off, scores, {.training = true}).assignment->num_dropped(), 30);
  EXPECT_EQ(make(options)->route(off, scores, {.training = false}).assignment->num_dropped(), 0);
}

TEST(TopKRouterTest, EvaluationCapacityAsAFractionOfTheRows) {
  Tape off;
  RouterOptions options = top_k(4, 1, "softmax_then_topk");
  options.eval_capacity_fraction = 0.25;
  const Tensor scores = crowded(41, 4);
  EXPECT_EQ(make(options)->route(off, scores, {}).assignment->load(0), 11);
  EXPECT_EQ(make(options)->route(off, scores, {.training = true}).assignment->load(0), 41);
  std::vector<std::uint8_t> mask(41, 1);
  std::fill_n(mask.begin(), 21, std::uint8_t{0});
  EXPECT_EQ(make(options)->route(off, scores, {.row_mask = mask}).assignment->load(0), 5);  // padding is no row
  EXPECT_TRUE(find_router("top_k").causal_safe(options));
  options.drop_policy = "probability";
  EXPECT_FALSE(find_router("top_k").causal_safe(options));
  options.eval_capacity_fraction = 1.5;
  EXPECT_NE(test::error_message([&] { make(options); }).find("eval_capacity_fraction=1.5"), std::string::npos);
}

TEST(TopKRouterTest, NoTokenIsLeftBehindWhileThereIsRoom) {
  Tape off;
  RouterOptions options = top_k(4, 2);
  options.capacity_factor = 1.5;  // 30 places each, 40 rows want expert 0
  Tensor scores = crowded(40, 4);
  for (std::int64_t row = 0; row < 40; ++row) scores.matrix()(row, row % 2 == 0 ? 1 : 2) = 0.5F;
  EXPECT_GT(make(options)->route(off, scores, {.training = true}).assignment->num_dropped(), 0);
  options.overflow = "next_best";
  const Routing routing = make(options)->route(off, scores, {.training = true});
  routing.assignment->validate();
  EXPECT_EQ(routing.assignment->num_dropped(), 0);
  // A rerouted row's weights are the softmax over the experts that serve it.
  std::vector<float> sums(40, 0.0F);
  for (std::size_t entry = 0; entry < routing.assignment->row_indices.size(); ++entry) {
    sums[static_cast<std::size_t>(routing.assignment->row_indices[entry])] += routing.combine_weights.values()[entry];
  }
  for (const float sum : sums) EXPECT_NEAR(sum, 1.0F, 1e-6F);
}

TEST(SwitchRouterTest, CapacityOfThePaper) {
  Tape off;
  const Tensor scores = crowded(40, 4);
  EXPECT_EQ(make(switch_of(4))->route(off, scores, {.training = true}).assignment->load(0), 13);  // ceil(1.25 * 10)
  EXPECT_EQ(make(switch_of(4))->route(off, scores, {.training = false}).assignment->load(0), 20);
  RouterOptions options = switch_of(4);
  options.capacity_rounding = "floor";
  EXPECT_EQ(make(options)->route(off, scores, {.training = true}).assignment->load(0), 12);
  options.capacity_factor = 0.0;
  EXPECT_EQ(make(options)->route(off, scores, {.training = true}).assignment->load(0), 40);
  EXPECT_EQ(make(switch_of(4))->route(off, crowded(6, 4), {.training = true}).assignment->load(0), 4);  // the minimum
}

TEST(SwitchRouterTest, CapacityCountsNoPadding) {
  Tape off;
  std::vector<std::uint8_t> mask(80, 1);
  std::fill_n(mask.begin(), 40, std::uint8_t{0});
  const Routing routing = make(switch_of(4))->route(off, crowded(80, 4), {.training = true, .row_mask = mask});
  EXPECT_EQ(routing.assignment->load(0), 13);
  EXPECT_EQ(routing.assignment->num_dropped(), 27);
}

TEST(SwitchRouterTest, WeightIsTheProbability) {
  Tape off;
  const Tensor scores = Tensor::from({1, 3}, std::vector<float>{0.0F, std::log(2.0F), 0.0F});
  const Routing routing = make(switch_of(3))->route(off, scores, {});
  EXPECT_EQ(routing.assignment->load(1), 1);
  EXPECT_NEAR(routing.combine_weights.values()[0], 0.5F, 1e-6F);
}

TEST(SwitchRouterTest, RefusesSeveralExpertsPerRow) {
  RouterOptions options = switch_of(4);
  options.num_experts_per_tok = 2;
  EXPECT_NE(test::error_message([&] { make(options); }).find("num_experts_per_tok=2, expected 1"), std::string::npos);
}

TEST(CapacityFactorsTest, RefusesNegativeFactors) {
  RouterOptions options = top_k(4, 2);
  options.capacity_factor = -0.5;
  EXPECT_NE(test::error_message([&] { make(options); }).find("capacity_factor=-0.5"), std::string::npos);
}

TEST(RouterTableTest, TakenNamesAreRefused) {
  EXPECT_NE(test::error_message([] { add_router(find_router("top_k")); }).find("'top_k' already"), std::string::npos);
}

TEST(RouterTableTest, UnknownNameSuggests) {
  EXPECT_NE(test::error_message([] { find_router("swich"); }).find("switch"), std::string::npos);
}

}  // namespace top_k_test
}  // namespace witan
