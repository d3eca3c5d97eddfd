// Who is served in the released encoder-decoders, and with which weight.
#include "models/capacity_routing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "base/error.h"
#include "dispatch/row_experts.h"
#include "support/error_message.h"

namespace witan {
namespace capacity_routing_test {

// expert -> weight of each row.
std::vector<std::map<std::int32_t, float>> served(const CapacityRouting& routing, const Tensor& logits) {
  const auto assignment = route_with_capacity(routing, logits).assignment;
  assignment->validate();
  std::vector<std::map<std::int32_t, float>> rows(static_cast<std::size_t>(logits.rows()));
  const std::vector<RowExperts> by_row = experts_by_row(*assignment);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < by_row[row].experts.size(); ++i) {
      rows[row][by_row[row].experts[i]] = by_row[row].weights[i];
    }
  }
  EXPECT_EQ(assignment->num_assigned() + assignment->num_dropped(), logits.rows() * routing.choices);
  return rows;
}

// Rows of probabilities.
Tensor logits_of(std::int64_t experts, const std::vector<float>& probabilities) {
  const auto rows = static_cast<std::int64_t>(probabilities.size()) / experts;
  Tensor logits = Tensor::from({rows, experts}, probabilities);
  for (float& value : logits.values()) value = std::log(value);
  return logits;
}

TEST(CapacityRoutingTest, SwitchServesEarlierRowsAndKeepsTheProbability) {
  const CapacityRouting routing{.choices = 1, .capacity = 2};
  const auto rows = served(routing, logits_of(2, {0.6F, 0.4F, 0.9F, 0.1F, 0.3F, 0.7F, 0.8F, 0.2F}));
  EXPECT_NEAR(rows[0].at(0), 0.6F, 1e-6);
  EXPECT_NEAR(rows[1].at(0), 0.9F, 1e-6);
  EXPECT_NEAR(rows[2].at(1), 0.7F, 1e-6);
  EXPECT_TRUE(rows[3].empty());  // though it is surer than the first
}

TEST(CapacityRoutingTest, NoCapacityServesNobody) {
  const CapacityRouting routing{.choices = 1, .capacity = 0};
  for (const auto& row : served(routing, logits_of(2, {0.6F, 0.4F, 0.1F, 0.9F}))) EXPECT_TRUE(row.empty());
}

// First choices 0, 1, 0; second choices 1, 0, 2. Capacity ceil(0.5 * 3) = 2.
const std::vector<float> kThreeRows = {0.5F, 0.3F, 0.2F, 0.3F, 0.6F, 0.1F, 0.7F, 0.1F, 0.2F};

TEST(CapacityRoutingTest, SecondChoicesWaitForAllFirstOnes) {
  const CapacityRouting routing{.choices = 2, .capacity_fraction = 0.5};
  const auto rows = served(routing, logits_of(3, kThreeRows));
  EXPECT_NEAR(rows[0].at(0), 0.5F / 0.8F, 1e-6);
  EXPECT_NEAR(rows[0].at(1), 0.3F / 0.8F, 1e-6);
  EXPECT_EQ(rows[1].size(), 1U);           // expert 0 has two first choices, one of them of a later row
  EXPECT_NEAR(rows[1].at(1), 1.0F, 1e-6);  // normalised over what is left
  EXPECT_NEAR(rows[2].at(0), 0.7F / 0.9F, 1e-6);
  EXPECT_NEAR(rows[2].at(2), 0.2F / 0.9F, 1e-6);
}

TEST(CapacityRoutingTest, NormalisedBeforeDroppingTheRestKeepsItsShare) {
  const CapacityRouting routing{.choices = 2, .capacity_fraction = 0.5, .normalize_before_dropping = true};
  EXPECT_NEAR(served(routing, logits_of(3, kThreeRows))[1].at(1), 0.6F / 0.9F, 1e-6);
}

TEST(CapacityRoutingTest, PriorityServesTheSurestRowFirst) {
  const Tensor logits = logits_of(3, {0.5F, 0.3F, 0.2F, 0.8F, 0.15F, 0.05F, 0.6F, 0.1F, 0.3F});
  CapacityRouting routing{.choices = 2, .capacity_fraction = 0.3};  // ceil(0.9) = 1
  EXPECT_TRUE(served(routing, logits)[0].contains(0));
  EXPECT_TRUE(served(routing, logits)[0].contains(1));
  routing.batch_prioritized = true;
  const auto rows = served(routing, logits);
  EXPECT_TRUE(rows[0].empty());
  EXPECT_EQ(rows[1].size(), 2U);
  EXPECT_TRUE(rows[2].contains(2));
}

TEST(CapacityRoutingTest, TheCapacityIsRoundedAsTheReferenceDoes) {
  // 0.07 * 100 is 7.000000000000001 in double precision: 8 rows.
  const CapacityRouting routing{.choices = 2, .capacity_fraction = 0.07};
  std::vector<float> same;
  for (int row = 0; row < 100; ++row) same.insert(same.end(), {0.7F, 0.2F, 0.1F});
  EXPECT_EQ(route_with_capacity(routing, logits_of(3, same)).assignment->load(0), 8);
}

TEST(CapacityRoutingTest, RoundingMakesTiesThatTheFirstExpertWins) {
  CapacityRouting routing{.choices = 1};
  const Tensor logits = logits_of(2, {0.4999F, 0.5001F});
  EXPECT_TRUE(served(routing, logits)[0].contains(1));
  routing.precision = DType::kBF16;
  EXPECT_EQ(served(routing, logits)[0].at(0), 0.5F);
}

TEST(CapacityRoutingTest, ScoresThatAreNoNumbersAreRefused) {
  const Tensor logits = Tensor::full({2, 3}, std::nanf(""));
  EXPECT_NE(test::error_message([&] { route_with_capacity({}, logits); }), "no error");
}

}  // namespace capacity_routing_test
}  // namespace witan
