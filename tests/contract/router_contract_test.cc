// What every router of the table must keep, with every weighting it reads. The rules that need experts are in
// mixture_contract_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatch/drop_policies.h"
#include "router_cases.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace router_contract_test {

constexpr std::int64_t kExperts = 6;  // can be cut into groups

class RouterContract : public testing::TestWithParam<test::RouterCase> {
 protected:
  // One batch through a router made afresh.
  Routing route(const RouterOptions& options, const Tensor& scores, bool training = false,
                std::span<const std::uint8_t> mask = {}) {
    return route(options, scores, std::vector<std::int32_t>(static_cast<std::size_t>(scores.rows()), 1), training,
                 mask);
  }
  Routing route(const RouterOptions& options, const Tensor& scores, const std::vector<std::int32_t>& ids, bool training,
                std::span<const std::uint8_t> mask = {}) {
    Random random(5);
    const Tensor rows = Tensor::full({scores.rows(), 3}, 0.5F);
    Routing routing = test::make_router(options)->route(
        tape_, GetParam().entry().uses_gate ? scores : Tensor(),
        {.training = training, .token_ids = ids, .row_mask = mask, .random = &random, .rows = &rows});
    routing.assignment->validate();
    EXPECT_TRUE(test::identical(routing.combine_weights.values(), routing.assignment->combine_weights));
    EXPECT_EQ(routing.probabilities.defined(), GetParam().has_probabilities);
    if (GetParam().has_probabilities) {
      EXPECT_EQ(routing.probabilities.shape(), scores.shape());
    }
    return routing;
  }

  // `rows` rows are not masked.
  static void expect_k_per_row(const Assignment& assignment, std::int64_t rows, bool training) {
    if (GetParam().k_per_row(training)) {
      EXPECT_EQ(requested(assignment), rows * GetParam().experts_per_row);
    }
    EXPECT_LE(requested(assignment), rows * assignment.num_experts);
  }

  // (row, expert) -> weight, 0 where there is none: independent of the order of entries.
  static std::vector<float> dense(const Assignment& assignment) {
    std::vector<float> weights(static_cast<std::size_t>(assignment.num_rows * assignment.num_experts), 0.0F);
    for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
      const std::int64_t begin = assignment.expert_offsets[static_cast<std::size_t>(e)];
      for (std::int64_t i = 0; i < assignment.load(e); ++i) {
        const auto entry = static_cast<std::size_t>(begin + i);
        const std::int64_t row = assignment.row_indices[entry];
        weights[static_cast<std::size_t>(row * assignment.num_experts + e)] = assignment.combine_weights[entry];
      }
    }
    return weights;
  }

  static std::int64_t requested(const Assignment& assignment) {
    return assignment.num_assigned() + assignment.num_dropped();
  }

  Tape tape_{Tape::Mode::kRecording};
};

TEST_P(RouterContract, RoutedAndDroppedAreWhatWasRequested) {
  const Tensor scores = test::random_tensor({41, kExperts}, 1);
  for (const double capacity : {0.0, 0.5, 1.0, 1.5}) {
    for (const std::string& policy : drop_policy_names()) {
      for (const std::string overflow : {"drop", "next_best"}) {
        RouterOptions options = GetParam().options(kExperts);
        options.capacity_factor = capacity;
        options.drop_policy = policy;
        options.overflow = overflow;
        const Routing routing = route(options, scores, true);
        expect_k_per_row(*routing.assignment, 41, true);
        for (std::int64_t e = 0; GetParam().reads_capacity && capacity > 0.0 && e < kExperts; ++e) {
          EXPECT_LE(routing.assignment->load(e), GetParam().capacity(capacity, 41, kExperts));
        }
      }
    }
  }
}

TEST_P(RouterContract, DroplessEqualsAnyCapacityAboveTheLargestLoad) {
  const Tensor scores = test::random_tensor({41, kExperts}, 1);
  RouterOptions options = GetParam().options(kExperts);
  const Routing dropless = route(options, scores, true);
  options.capacity_factor = static_cast<double>(kExperts);
  const Routing roomy = route(options, scores, true);
  EXPECT_TRUE(std::ranges::equal(dropless.assignment->row_indices, roomy.assignment->row_indices));
  EXPECT_TRUE(test::identical(dropless.combine_weights.values(), roomy.combine_weights.values()));
  EXPECT_EQ(dropless.assignment->num_dropped(), 0);
}

TEST_P(RouterContract, TiesGoToTheLowestIndex) {
  if (!GetParam().k_per_row_in_evaluation || !GetParam().entry().uses_gate) GTEST_SKIP() << "no k best to tie for";
  const Routing routing = route(GetParam().options(kExperts), Tensor::full({3, kExperts}, 0.25F));
  const std::int64_t group_size = kExperts / GetParam().groups;
  const std::int64_t per_group = GetParam().experts_per_row / GetParam().groups_per_row;
  for (std::int64_t e = 0; e < kExperts; ++e) {
    const bool chosen = e / group_size < GetParam().groups_per_row && e % group_size < per_group;
    EXPECT_EQ(routing.assignment->load(e), chosen ? 3 : 0) << "expert " << e;
  }
}

TEST_P(RouterContract, SameSeedSameRoutingAndEvaluationDrawsNothing) {
  const Tensor scores = test::random_tensor({20, kExperts}, 2);
  RouterOptions options = GetParam().options(kExperts);
  options.capacity_factor = 0.7;
  options.eval_capacity_factor = 0.7;
  for (const bool training : {true, false}) {
    const Routing first = route(options, scores, training);
    const Routing second = route(options, scores, training);
    EXPECT_TRUE(std::ranges::equal(first.assignment->row_indices, second.assignment->row_indices));
    EXPECT_TRUE(test::identical(first.combine_weights.values(), second.combine_weights.values()));
  }
  const std::vector<std::int32_t> ids(20, 1);
  const Tensor rows = Tensor::full({20, 3}, 0.5F);
  const auto draws = [&](bool training) {
    RouterOptions dropless = options;
    dropless.capacity_factor = training ? 0.0 : 0.7;
    Random random(9);
    test::make_router(dropless)->route(tape_, GetParam().entry().uses_gate ? scores : Tensor(),
                                       {.training = training, .token_ids = ids, .random = &random, .rows = &rows});
    return random.position() > 0;
  };
  EXPECT_FALSE(draws(false));
  EXPECT_EQ(draws(true), GetParam().random_in_training);
}

TEST_P(RouterContract, PermutingTheRowsPermutesTheResult) {
  if (GetParam().by_position) GTEST_SKIP() << "chooses by position";
  constexpr std::int64_t kRows = 23;
  const Tensor scores = test::random_tensor({kRows, kExperts}, 3);
  Tensor permuted = Tensor::uninitialized({kRows, kExperts});
  const auto from = [](std::int64_t row) { return (row * 7 + 3) % kRows; };
  for (std::int64_t row = 0; row < kRows; ++row) {
    std::copy_n(scores.matrix().row(from(row)), kExperts, permuted.matrix().row(row));
  }
  const std::vector<float> before = dense(*route(GetParam().options(kExperts), scores).assignment);
  const std::vector<float> after = dense(*route(GetParam().options(kExperts), permuted).assignment);
  for (std::int64_t row = 0; row < kRows; ++row) {
    EXPECT_TRUE(
        test::near({after.data() + row * kExperts, kExperts}, {before.data() + from(row) * kExperts, kExperts}, 1e-6F));
  }
}

// Any change in the later rows leaves a causal-safe router's earlier rows alone; and a router that says it is not safe
// is caught doing so, or the declaration is idle.
TEST_P(RouterContract, CausalityIsAsDeclared) {
  constexpr std::int64_t kRows = 24;
  constexpr std::int64_t kPast = 12;
  for (const double capacity : {0.0, 0.6}) {
    for (const std::string& policy : drop_policy_names()) {
      RouterOptions options = GetParam().options(kExperts);
      options.capacity_factor = capacity;
      options.eval_capacity_factor = capacity;
      options.drop_policy = policy;
      bool changed = false;
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Tensor scores = test::random_tensor({kRows, kExperts}, 100 + seed);
        Tensor other = test::random_tensor({kRows, kExperts}, 200 + seed);
        std::copy_n(scores.data(), kPast * kExperts, other.data());
        std::vector<std::int32_t> ids(kRows);
        Random random(seed);
        for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(16));
        std::vector<std::int32_t> other_ids = ids;
        for (std::size_t row = kPast; row < kRows; ++row) other_ids[row] = static_cast<std::int32_t>(random.below(16));
        for (const bool training : {true, false}) {
          const std::vector<float> first = dense(*route(options, scores, ids, training).assignment);
          const std::vector<float> second = dense(*route(options, other, other_ids, training).assignment);
          changed |= !std::equal(first.begin(), first.begin() + kPast * kExperts, second.begin());
        }
      }
      const bool safe = GetParam().entry().causal_safe(options);
      EXPECT_FALSE(safe && changed) << "capacity " << capacity << ", " << policy;
      if (!GetParam().lack_of_causality_shows) continue;
      EXPECT_EQ(safe, !changed) << "capacity " << capacity << ", " << policy;
    }
  }
}

TEST_P(RouterContract, WeightsAndProbabilitiesHaveTheirGradients) {
  if (!GetParam().entry().uses_gate) GTEST_SKIP() << "no scores to differentiate";
  // Gaps of a tenth and more, and no softmax near 1/4: no difference quotient crosses a selection boundary.
  Tensor scores = Tensor::from({3, 4}, std::vector<float>{0.3F, 1.1F, -0.6F, 0.7F, -0.5F, 0.1F, 0.9F, 1.6F,  //
                                                          2.0F, 0.2F, -0.3F, 1.3F});
  scores.set_requires_grad(true);
  const auto router = test::make_router(GetParam().options(4));
  const Tensor rows = Tensor::full({3, 3}, 0.5F);
  for (const bool weights : {true, false}) {
    if (weights ? !GetParam().weights_have_gradients : !GetParam().has_probabilities) continue;
    const auto result = [&](Tape& tape, std::span<const Tensor> x) {
      const Routing routing = router->route(tape, x[0], {.rows = &rows});
      return weights ? routing.combine_weights : routing.probabilities;
    };
    EXPECT_TRUE(test::gradients_match(result, {&scores, 1}, 1e-2F, 3e-3F)) << (weights ? "weights" : "probabilities");
  }
}

TEST_P(RouterContract, MaskedRowsAreNotRouted) {
  const Tensor scores = test::random_tensor({6, kExperts}, 4);
  const std::vector<std::uint8_t> mask = {1, 0, 1, 1, 0, 1};
  const Routing routing = route(GetParam().options(kExperts), scores, true, mask);
  expect_k_per_row(*routing.assignment, 4, true);
  for (const std::int32_t row : routing.assignment->row_indices) EXPECT_EQ(mask[static_cast<std::size_t>(row)], 1);
}

TEST_P(RouterContract, OneRowNoRowsAndOneExpert) {
  for (const bool training : {true, false}) {
    const RouterOptions options = GetParam().options(kExperts);
    expect_k_per_row(*route(options, test::random_tensor({1, kExperts}, 5), training).assignment, 1, training);
    EXPECT_EQ(route(options, Tensor::zeros({0, kExperts}), training).assignment->num_assigned(), 0);
    const Routing one = route(GetParam().options(1), test::random_tensor({7, 1}, 5), training);
    EXPECT_EQ(one.assignment->load(0), 7);
  }
}

TEST_P(RouterContract, AllExpertsOfARow) {
  if (!GetParam().accepts(kExperts, kExperts)) {
    EXPECT_NE(test::error_message([&] { test::make_router(GetParam().options(kExperts, kExperts)); }), "no error");
    return;
  }
  const bool training = !GetParam().k_per_row_in_evaluation;
  const Routing routing =
      route(GetParam().options(kExperts, kExperts), test::random_tensor({7, kExperts}, 6), training);
  for (std::int64_t e = 0; e < kExperts; ++e) EXPECT_EQ(routing.assignment->load(e), 7);
}

TEST_P(RouterContract, AllRowsToOneExpert) {
  if (!GetParam().entry().uses_gate) GTEST_SKIP() << "no scores to prefer an expert by";
  Tensor scores = test::random_tensor({30, kExperts}, 7, 0.1F);
  for (std::int64_t row = 0; row < 30; ++row) scores.matrix()(row, 3) = 50.0F;
  RouterOptions options = GetParam().options(kExperts);
  EXPECT_EQ(route(options, scores).assignment->load(3), 30);
  options.capacity_factor = 1.0;
  if (GetParam().balances_in_training) return;
  const Routing full = route(options, scores, true);
  EXPECT_EQ(full.assignment->load(3), GetParam().capacity(1.0, 30, kExperts));
  expect_k_per_row(*full.assignment, 30, true);
}

TEST_P(RouterContract, HugeAndInfinitelySmallScoresAreFine) {
  if (!GetParam().entry().uses_gate) GTEST_SKIP() << "no scores";
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Tensor scores = Tensor::from(
      {3, 4}, std::vector<float>{1e30F, -1e30F, 3e38F, 0.0F, -kInf, 1.0F, -kInf, -kInf, -1e5F, -2e5F, -kInf, -3e38F});
  for (const bool training : {true, false}) {
    const Routing routing = route(GetParam().options(4), scores, training);  // validate() refuses infinite weights
    for (const BalanceTerm& term : routing.terms) EXPECT_TRUE(std::isfinite(term.value.item())) << term.name;
  }
}

TEST_P(RouterContract, ScoresThatAreNotNumbersNameTheirRow) {
  if (!GetParam().entry().uses_gate) GTEST_SKIP() << "no scores";
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto message = [&](const auto& spoil) {
    const Tensor scores = test::random_tensor({9, kExperts}, 8);
    spoil(scores.matrix());
    return test::error_message([&] { route(GetParam().options(kExperts), scores); });
  };
  EXPECT_NE(message([&](Matrix s) { s(6, 4) = kNan; }).find("row 6"), std::string::npos);
  EXPECT_NE(message([&](Matrix s) { s(2, 0) = kInf; }).find("row 2"), std::string::npos);
  EXPECT_NE(message([&](Matrix s) { std::fill_n(s.row(4), kExperts, -kInf); }).find("row 4"), std::string::npos);
}

TEST_P(RouterContract, AWeightDividedByItselfIsRefused) {
  const test::RouterCase& param = GetParam();
  const std::string message = test::error_message([&] { test::make_router(param.options(kExperts, 1)); });
  if (param.renormalizes()) {
    EXPECT_NE(message.find("no gradient"), std::string::npos) << message;
  } else if (param.accepts(kExperts, 1)) {
    EXPECT_EQ(message, "no error");
  }
  EXPECT_EQ(test::error_message([&] { test::make_router(param.options(1, 1)); }), "no error");
}

TEST_P(RouterContract, MoreChoicesThanExpertsAreRefused) {
  const std::string message = test::error_message([&] { test::make_router(GetParam().options(4, 9)); });
  EXPECT_NE(message.find("num_experts_per_tok=9"), std::string::npos) << message;
}

TEST_P(RouterContract, ItsEntryIsFilled) {
  const RouterEntry& entry = GetParam().entry();
  for (const std::string* const text :
       {&entry.summary, &entry.formula, &entry.paper, &entry.causality, &entry.inference_rule, &entry.cost}) {
    EXPECT_FALSE(text->empty());
    EXPECT_EQ(text->find_first_of("|\n"), std::string::npos) << "breaks the table of docs/routers.md: " << *text;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryRouter, RouterContract, testing::ValuesIn(test::router_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace router_contract_test
}  // namespace witan
