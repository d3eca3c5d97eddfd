// Expert choice: even loads, scopes, the cap, and the rules of inference.
#include <gtest/gtest.h>

#include <numeric>

#include "autograd/ops/softmax.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/routed.h"

namespace witan {
namespace expert_choice_test {

using test::route;
using test::Settings;

// Expert e takes rows by falling probability, the lowest row among equals; written plainly.
std::vector<std::int64_t> plain_choice(const Tensor& scores, std::int64_t expert, std::int64_t capacity) {
  Tape off;
  const Tensor p = ops::softmax(off, scores);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(scores.rows()));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  std::ranges::stable_sort(
      rows, [&](std::int64_t a, std::int64_t b) { return p.matrix()(a, expert) > p.matrix()(b, expert); });
  rows.resize(static_cast<std::size_t>(capacity));
  std::ranges::sort(rows);
  return rows;
}

TEST(ExpertChoiceTest, EachExpertTakesItsLikeliestRows) {
  const Tensor scores = test::random_tensor({22, 5}, 1);
  std::copy_n(scores.matrix().row(3), 5, scores.matrix().row(17));  // a tie
  const auto router = test::router_of("expert_choice", 5, 2);
  const Routing routing = route(*router, scores, {.training = true});
  for (std::int64_t e = 0; e < 5; ++e) {
    const auto rows = routing.assignment->rows_of(e);
    EXPECT_EQ(std::vector<std::int64_t>(rows.begin(), rows.end()), plain_choice(scores, e, 9)) << "round(22 * 2 / 5)";
    for (const std::int32_t row : rows) {
      EXPECT_EQ(test::weight_of(*routing.assignment, row, e), routing.probabilities.matrix()(row, e));
    }
  }
}

TEST(ExpertChoiceTest, TiesGoToTheLowestRow) {
  const auto router = test::router_of("expert_choice", 4, 1);
  const Routing routing = route(*router, Tensor::zeros({8, 4}), {.training = true});
  for (std::int64_t e = 0; e < 4; ++e) {
    EXPECT_EQ(routing.assignment->rows_of(e)[0], 0);
    EXPECT_EQ(routing.assignment->rows_of(e)[1], 1);
  }
}

TEST(ExpertChoiceTest, ScopeIsTheSequenceOrTheBatch) {
  const Tensor scores = test::random_tensor({24, 4}, 2);
  for (std::int64_t row = 0; row < 12; ++row) scores.matrix()(row, 0) += 5.0F;  // the first sequence wants expert 0
  const auto whole = test::router_of("expert_choice", 4, 1);
  const auto single = test::router_of("expert_choice", 4, 1, {{"expert_choice_scope", "sequence"}});
  const RouterContext context{.training = true, .rows_per_sequence = 12};
  const auto of_first = [](const Routing& routing) {
    return std::ranges::count_if(routing.assignment->rows_of(0), [](std::int32_t row) { return row < 12; });
  };
  const Routing batch = route(*whole, scores, context);
  const Routing sequences = route(*single, scores, context);
  EXPECT_EQ(of_first(batch), 6);
  EXPECT_EQ(of_first(sequences), 3);
  EXPECT_EQ(test::loads_of(*batch.assignment), test::loads_of(*sequences.assignment));
}

TEST(ExpertChoiceTest, MaskedRowsAreNotChosen) {
  std::vector<std::uint8_t> mask(20, 1);
  for (std::size_t row = 0; row < 20; row += 2) mask[row] = 0;
  const auto router = test::router_of("expert_choice", 5, 2);
  const Routing routing = route(*router, test::random_tensor({20, 5}, 3), {.training = true, .row_mask = mask});
  EXPECT_EQ(routing.assignment->num_assigned(), 20);
  for (const std::int32_t row : routing.assignment->row_indices) EXPECT_EQ(row % 2, 1);
}

TEST(ExpertChoiceTest, TheCapHolds) {
  Tensor scores = test::random_tensor({40, 8}, 4);
  for (std::int64_t row = 0; row < 5; ++row) {
    for (std::int64_t e = 0; e < 8; ++e)
      scores.matrix()(row, e) = e % 2 == 0 ? 3.0F : 2.9F;  // even: most experts' best
  }
  const auto most = [](const Routing& routing) {
    std::size_t largest = 0;
    for (const auto& experts : test::experts_of_rows(*routing.assignment)) largest = std::max(largest, experts.size());
    return largest;
  };
  for (const char* const cap : {"2", "3"}) {
    const auto capped = test::router_of("expert_choice", 8, 2, {{"expert_choice_cap", cap}});
    const Routing routing = route(*capped, scores, {.training = true});
    EXPECT_LE(most(routing), static_cast<std::size_t>(std::stoi(cap)));
    for (std::int64_t e = 0; e < 8; ++e) EXPECT_LE(routing.assignment->load(e), 10);
    EXPECT_GE(routing.assignment->num_assigned(), 70) << "room is left over only where rows are full";
  }
  const auto free = test::router_of("expert_choice", 8, 2);
  EXPECT_GT(most(route(*free, scores, {.training = true})), 3U) << "or the test shows nothing";
  const auto idle = test::router_of("expert_choice", 8, 2, {{"expert_choice_cap", "8"}});
  EXPECT_EQ(test::experts_of_rows(*route(*idle, scores, {.training = true}).assignment),
            test::experts_of_rows(*route(*free, scores, {.training = true}).assignment));
  EXPECT_NE(test::error_message([] {
              test::router_of("expert_choice", 8, 3, {{"expert_choice_cap", "2"}});
            }).find("expert_choice_cap=2 is below num_experts_per_tok=3"),
            std::string::npos);
}

TEST(ExpertChoiceTest, InferenceByTopK) {
  const Tensor scores = test::random_tensor({9, 5}, 5);
  const auto router = test::router_of("expert_choice", 5, 2);
  const auto plain = test::router_of("top_k", 5, 2, {{"weighting", "softmax_then_topk"}});
  const Routing routing = route(*router, scores, {});
  const Routing expected = route(*plain, scores, {});
  EXPECT_TRUE(std::ranges::equal(routing.assignment->row_indices, expected.assignment->row_indices));
  EXPECT_TRUE(test::identical(routing.combine_weights.values(), expected.combine_weights.values()));
}

TEST(ExpertChoiceTest, InferenceByThresholdLoadsLikeTraining) {
  const auto router = test::router_of("expert_choice", 5, 2, {{"expert_choice_inference", "threshold"}});
  const auto batch = [](std::uint64_t seed) {
    const Tensor scores = test::random_tensor({500, 5}, seed);
    for (std::int64_t row = 0; row < 500; ++row) scores.matrix()(row, 2) += 1.5F;  // top-k would crowd expert 2
    return scores;
  };
  EXPECT_EQ(route(*router, batch(1), {}).assignment->num_assigned(), 1000) << "top-k before any step";
  for (std::uint64_t step = 0; step < 4; ++step) {
    route(*router, batch(10 + step), {.training = true});
    router->after_step({});
  }
  const Tensor fresh = batch(1);
  const Routing whole = route(*router, fresh, {});
  for (std::int64_t e = 0; e < 5; ++e) EXPECT_NEAR(static_cast<double>(whole.assignment->load(e)), 200.0, 40.0) << e;

  const Tensor alone = Tensor::from({1, 5}, {fresh.matrix().row(7), 5});
  EXPECT_EQ(test::experts_of_rows(*route(*router, alone, {}).assignment)[0],
            test::experts_of_rows(*whole.assignment)[7])
      << "a row's experts do not depend on other rows";

  const auto loaded = test::router_of("expert_choice", 5, 2, {{"expert_choice_inference", "threshold"}});
  for (std::size_t i = 0; i < 2; ++i) {
    std::ranges::copy(router->buffers()[i].value.values(), loaded->buffers()[i].value.data());
  }
  EXPECT_EQ(test::experts_of_rows(*route(*loaded, fresh, {}).assignment), test::experts_of_rows(*whole.assignment));
}

TEST(ExpertChoiceTest, GradientsOfTheWeights) {
  const auto router = test::router_of("expert_choice", 4, 2);
  std::vector<Tensor> scores = {Tensor::from(
      {3, 4}, std::vector<float>{0.3F, 1.1F, -0.6F, 0.7F, -0.5F, 0.1F, 0.8F, 1.6F, 2.0F, 0.2F, -0.3F, 1.3F})};
  scores[0].set_requires_grad(true);
  const Tensor rows = Tensor::zeros({3, 3});
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        return router->route(tape, x[0], {.training = true, .rows = &rows}).combine_weights;
      },
      scores, 1e-3F));
}

}  // namespace expert_choice_test
}  // namespace witan
