// Counting sort and dropping against hand-made cases and a plain reference.
#include "dispatch/sort_by_expert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace sort_by_expert_test {

std::vector<std::int32_t> list(std::span<const std::int32_t> values) { return {values.begin(), values.end()}; }

Choices random_choices(std::int64_t rows, std::int64_t experts, std::int64_t k, std::uint64_t seed) {
  Choices choices{rows, experts, k, {}};
  Random random(seed);
  std::vector<std::int32_t> all(static_cast<std::size_t>(experts));
  std::iota(all.begin(), all.end(), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
    const bool masked = random.below(5) == 0;
    for (std::int64_t rank = 0; rank < k; ++rank) {
      choices.experts.push_back(masked ? kNoExpert : all[static_cast<std::size_t>(rank)]);
    }
  }
  return choices;
}

std::vector<float> slot_weights(const Choices& choices) {
  std::vector<float> weights(choices.experts.size());
  std::iota(weights.begin(), weights.end(), 1.0F);
  return weights;
}

TEST(SortByExpertTest, SortsByExpertThenRow) {
  const Choices choices{4, 3, 2, {2, 0, 2, 1, kNoExpert, kNoExpert, 0, 2}};
  const SortedChoices sorted = sort_by_expert(choices, slot_weights(choices), {});
  sorted.assignment->validate();
  EXPECT_EQ(list(sorted.assignment->rows_of(0)), (std::vector<std::int32_t>{0, 3}));
  EXPECT_EQ(list(sorted.assignment->rows_of(1)), (std::vector<std::int32_t>{1}));
  EXPECT_EQ(list(sorted.assignment->rows_of(2)), (std::vector<std::int32_t>{0, 1, 3}));
  EXPECT_EQ(list(sorted.slots), (std::vector<std::int32_t>{1, 6, 3, 0, 2, 7}));
  EXPECT_EQ(list(sorted.assignment->choice_ranks), (std::vector<std::int32_t>{1, 0, 1, 0, 0, 1}));
  EXPECT_EQ(sorted.assignment->num_dropped(), 0);
}

TEST(SortByExpertTest, PositionServesEarlierRowsFirst) {
  const Choices choices{3, 2, 2, {0, 1, 1, 0, 0, 1}};
  const DropRule drop{2, &find_drop_policy("position"), nullptr};
  const SortedChoices sorted = sort_by_expert(choices, slot_weights(choices), drop);
  sorted.assignment->validate();
  EXPECT_EQ(list(sorted.assignment->rows_of(0)), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(list(sorted.assignment->rows_of(1)), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(list(sorted.assignment->dropped_rows), (std::vector<std::int32_t>{2, 2}));
  EXPECT_EQ(list(sorted.assignment->dropped_experts), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(list(sorted.assignment->dropped_ranks), (std::vector<std::int32_t>{0, 1}));
}

TEST(SortByExpertTest, ChoiceServesAllFirstChoicesFirst) {
  const Choices choices{3, 2, 2, {0, 1, 1, 0, 0, 1}};
  const DropRule drop{2, &find_drop_policy("choice"), nullptr};
  const SortedChoices sorted = sort_by_expert(choices, slot_weights(choices), drop);
  sorted.assignment->validate();
  EXPECT_EQ(list(sorted.assignment->rows_of(0)), (std::vector<std::int32_t>{0, 2}));  // not row 1's second choice
  EXPECT_EQ(list(sorted.assignment->rows_of(1)), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(list(sorted.assignment->dropped_rows), (std::vector<std::int32_t>{1, 2}));
}

TEST(SortByExpertTest, ProbabilityServesTheLargestWeightsFirst) {
  const Choices choices{3, 2, 2, {0, 1, 1, 0, 0, 1}};
  const std::vector<float> weights = {0.6F, 0.4F, 0.5F, 0.45F, 0.7F, 0.3F};
  const SortedChoices sorted = sort_by_expert(choices, weights, {2, &find_drop_policy("probability"), nullptr});
  EXPECT_EQ(list(sorted.assignment->rows_of(0)), (std::vector<std::int32_t>{0, 2}));
  EXPECT_EQ(list(sorted.assignment->rows_of(1)), (std::vector<std::int32_t>{0, 1}));
}

TEST(SortByExpertTest, PriorityServesSureRowsFirstRankByRank) {
  const Choices choices{3, 2, 2, {0, 1, 0, 1, 1, 0}};
  const std::vector<float> weights = {0.6F, 0.4F, 0.9F, 0.1F, 0.6F, 0.4F};
  const SortedChoices two = sort_by_expert(choices, weights, {2, &find_drop_policy("priority"), nullptr});
  EXPECT_EQ(list(two.assignment->rows_of(0)), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(list(two.assignment->rows_of(1)), (std::vector<std::int32_t>{1, 2}));  // row 2 first, then the sure row 1
  const SortedChoices one = sort_by_expert(choices, weights, {1, &find_drop_policy("priority"), nullptr});
  EXPECT_EQ(list(one.assignment->rows_of(0)), (std::vector<std::int32_t>{1}));
  EXPECT_EQ(list(one.assignment->rows_of(1)), (std::vector<std::int32_t>{2}));
}

TEST(SortByExpertTest, RandomIsFairInTrainingAndByPositionInEvaluation) {
  const Choices choices{4, 1, 1, {0, 0, 0, 0}};
  const std::vector<float> weights = slot_weights(choices);
  Random random(3);
  std::array<int, 4> served{};
  for (int trial = 0; trial < 4000; ++trial) {
    const SortedChoices sorted = sort_by_expert(choices, weights, {2, &find_drop_policy("random"), &random});
    for (const std::int32_t row : sorted.assignment->row_indices) ++served[static_cast<std::size_t>(row)];
  }
  for (const int count : served) EXPECT_NEAR(count, 2000, 5 * 32);  // five standard deviations
  const SortedChoices still = sort_by_expert(choices, weights, {2, &find_drop_policy("random"), nullptr});
  EXPECT_EQ(list(still.assignment->row_indices), (std::vector<std::int32_t>{0, 1}));
}

TEST(SortByExpertTest, ReroutedChoicesGoToTheNextBestWithRoom) {
  Choices choices{4, 3, 1, {0, 0, 0, 0}};
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  Tensor scores = Tensor::from({4, 3}, std::vector<float>{9.0F, 1.0F, 2.0F, 9.0F, 2.0F, 1.0F,  //
                                                          9.0F, 2.0F, 1.0F, 9.0F, kNever, kNever});
  const DropRule drop{1, &find_drop_policy("position"), nullptr, true};
  const ServedSlots served = serve_or_reroute(choices, scores.matrix(), slot_weights(choices), drop);
  EXPECT_EQ(list(choices.experts), (std::vector<std::int32_t>{0, 1, 2, 0}));  // row 2 finds experts 0 and 1 full
  EXPECT_EQ(std::vector<char>(served.begin(), served.end()), (std::vector<char>{1, 1, 1, 0}));
  const SortedChoices sorted = sort_served(choices, slot_weights(choices), served);
  sorted.assignment->validate();
  EXPECT_EQ(list(sorted.assignment->dropped_rows), (std::vector<std::int32_t>{3}));
}

TEST(SortByExpertTest, ReroutingLeavesNobodyBehindWhileThereIsRoom) {
  for (const DropPolicy& policy : drop_policy_table()) {
    Choices choices{40, 5, 2, {}};
    for (int row = 0; row < 40; ++row) choices.experts.insert(choices.experts.end(), {0, 1});
    const Tensor scores = test::random_tensor({40, 5}, 4);
    Random random(3);
    const DropRule drop{20, &policy, &random, true};
    const ServedSlots served = serve_or_reroute(choices, scores.matrix(), slot_weights(choices), drop);
    const SortedChoices sorted = sort_served(choices, slot_weights(choices), served);
    sorted.assignment->validate();
    EXPECT_EQ(sorted.assignment->num_dropped(), 0) << policy.name;  // 80 choices, 100 places
    for (std::int64_t expert = 0; expert < 5; ++expert) EXPECT_LE(sorted.assignment->load(expert), 20);
  }
}

TEST(SortByExpertTest, EveryPolicyAgreesWithServingSlotBySlot) {
  for (const DropPolicy& policy : drop_policy_table()) {
    for (const std::int64_t capacity : {0, 1, 3, 7, 1000}) {
      const Choices choices = random_choices(37, 5, 3, 11);
      const std::vector<float> weights = slot_weights(choices);
      Random random(3);
      const SortedChoices sorted = sort_by_expert(choices, weights, {capacity, &policy, &random});
      sorted.assignment->validate();

      Random same(3);
      std::vector<std::int32_t> order(weights.size());
      policy.order(choices, weights, &same, order);
      EXPECT_EQ(std::set<std::int32_t>(order.begin(), order.end()).size(), order.size())
          << policy.name << " must serve every slot once";
      EXPECT_EQ(*std::ranges::max_element(order), static_cast<std::int32_t>(order.size()) - 1) << policy.name;
      std::vector<std::set<std::int32_t>> served(5);  // rows
      std::size_t dropped = 0;
      for (const std::int32_t slot : order) {
        const std::int32_t expert = choices.experts[static_cast<std::size_t>(slot)];
        if (expert == kNoExpert) continue;
        std::set<std::int32_t>& rows = served[static_cast<std::size_t>(expert)];
        if (static_cast<std::int64_t>(rows.size()) < capacity) {
          rows.insert(slot / 3);
        } else {
          ++dropped;
        }
      }
      for (std::int64_t expert = 0; expert < 5; ++expert) {
        EXPECT_TRUE(std::ranges::equal(sorted.assignment->rows_of(expert), served[static_cast<std::size_t>(expert)]))
            << policy.name << " capacity " << capacity << " expert " << expert;
      }
      EXPECT_EQ(sorted.assignment->dropped_rows.size(), dropped);
      for (std::size_t entry = 0; entry < sorted.slots.size(); ++entry) {
        const std::int32_t slot = sorted.slots[entry];
        EXPECT_EQ(sorted.assignment->row_indices[entry], slot / 3);
        EXPECT_EQ(sorted.assignment->choice_ranks[entry], slot % 3);
        EXPECT_EQ(sorted.assignment->combine_weights[entry], weights[static_cast<std::size_t>(slot)]);
      }
    }
  }
}

TEST(SortByExpertTest, NoRows) {
  const SortedChoices sorted = sort_by_expert({0, 3, 2, {}}, {}, {});
  sorted.assignment->validate();
  EXPECT_EQ(sorted.assignment->num_assigned(), 0);
}

TEST(GatherSlotsTest, GradientGoesBackToTheSlot) {
  const std::vector<Tensor> inputs = {test::random_tensor({3, 2}, 1)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) {
        return gather_slots(tape, x[0], {5, 0, 3});
      },
      inputs));
}

}  // namespace sort_by_expert_test
}  // namespace witan
