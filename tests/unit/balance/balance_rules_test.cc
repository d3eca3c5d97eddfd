// The importance, device-level and communication losses against sums done by hand.
#include <gtest/gtest.h>

#include <vector>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "dispatch/sort_by_expert.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace balance_rules_test {

constexpr std::int64_t kExperts = 4;

BalanceOptions only(const char* coefficient) {
  BalanceOptions options;
  options.router_aux_loss_coef = options.router_z_loss_coef = 0.0;
  options.fields().find(coefficient).set("1");
  options.fields().find("balance_devices").set("2");  // experts 0, 1 and 2, 3
  return options;
}

// Five rows with two choices; the weight of a choice is its probability.
Routing five_rows(Tape& tape, const Tensor& scores, std::int64_t capacity = kUnlimitedCapacity) {
  const Choices choices{5, kExperts, 2, {0, 1, 0, 1, 0, 2, 1, 0, 3, 2}};
  const Tensor probabilities = ops::softmax(tape, scores);
  PooledVector<float> weights;
  for (std::size_t slot = 0; slot < choices.experts.size(); ++slot) {
    weights.push_back(probabilities.matrix()(static_cast<std::int64_t>(slot / 2), choices.experts[slot]));
  }
  const SortedChoices sorted = sort_by_expert(choices, weights, {capacity, &find_drop_policy("position"), nullptr});
  PooledVector<std::int32_t> places;
  for (const std::int32_t slot : sorted.slots) {
    places.push_back(slot / 2 * kExperts + choices.experts[static_cast<std::size_t>(slot)]);
  }
  return {sorted.assignment, gather_slots(tape, probabilities, std::move(places)), probabilities, {}};
}

double unscaled(const BalanceOptions& options, const Routing& routing, const RouterContext& context = {}) {
  Tape off;
  const Tensor unused;
  const auto rules = make_balance_rules(options);
  EXPECT_EQ(rules.size(), 1U);
  return static_cast<double>(rules[0]->term(off, {unused, routing, context}).unscaled);
}

double squared_variation(const std::vector<double>& x) {
  double mean = 0.0;
  double squares = 0.0;
  for (const double value : x) mean += value / static_cast<double>(x.size());
  for (const double value : x) squares += (value - mean) * (value - mean) / static_cast<double>(x.size());
  return squares / (mean * mean + 1e-10);
}

class BalanceRulesTest : public testing::Test {
 protected:
  double p(std::int64_t row, std::int64_t expert) const {
    return static_cast<double>(routing_.probabilities.matrix()(row, expert));
  }
  // Mean over rows first .. last - 1 of the probability of a device.
  double device(std::int64_t d, std::int64_t first, std::int64_t last) const {
    double sum = 0.0;
    for (std::int64_t row = first; row < last; ++row) sum += p(row, 2 * d) + p(row, 2 * d + 1);
    return sum / static_cast<double>(last - first);
  }

  Tape off_;
  Tensor scores_ = test::random_tensor({5, kExperts}, 1);
  Routing routing_ = five_rows(off_, scores_);
};

TEST_F(BalanceRulesTest, ImportanceOfTheWeights) {
  const std::vector<double> sums = {p(0, 0) + p(1, 0) + p(2, 0) + p(3, 0), p(0, 1) + p(1, 1) + p(3, 1),
                                    p(2, 2) + p(4, 2), p(4, 3)};
  EXPECT_NEAR(unscaled(only("importance_coef"), routing_), squared_variation(sums), 1e-6);
}

TEST_F(BalanceRulesTest, ImportanceOfTheProbabilitiesLeavesPaddingOut) {
  BalanceOptions options = only("importance_coef");
  options.fields().find("importance_of").set("probabilities");
  std::vector<double> sums(kExperts, 0.0);
  for (std::int64_t e = 0; e < kExperts; ++e) {
    for (const std::int64_t row : {0, 1, 4}) sums[static_cast<std::size_t>(e)] += p(row, e);
  }
  const std::vector<std::uint8_t> mask = {1, 1, 0, 0, 1};
  EXPECT_NEAR(unscaled(options, routing_, {.row_mask = mask}), squared_variation(sums), 1e-6);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        const Tensor unused;
        const Routing routing = five_rows(tape, x[0]);
        return make_balance_rules(options)[0]->term(tape, {unused, routing, {.row_mask = mask}}).value;
      },
      {&scores_, 1}, 1e-2F, 2e-3F));
}

TEST_F(BalanceRulesTest, DeviceBalanceAveragesLoadsAndSumsProbabilities) {
  // Choices per expert 4 3 2 1 of 10: E f = 1.6 1.2 0.8 0.4.
  const double expected = 1.4 * device(0, 0, 5) + 0.6 * device(1, 0, 5);
  EXPECT_NEAR(unscaled(only("device_balance_coef"), routing_), expected, 1e-6);
}

TEST_F(BalanceRulesTest, CommunicationCountsARowOncePerDevice) {
  // Rows 0, 1, 3 go to device 0 alone, row 2 to both, row 4 to device 1.
  const double mean = 2.0 / 6.0 * (4.0 * device(0, 0, 5) + 2.0 * device(1, 0, 5));
  EXPECT_NEAR(unscaled(only("communication_balance_coef"), routing_), mean, 1e-6);
  BalanceOptions limited = only("communication_balance_coef");
  limited.fields().find("balance_devices_per_row").set("2");
  EXPECT_NEAR(unscaled(limited, routing_), mean * 6.0 / 10.0, 1e-6);  // M T = 2 * 5
  // What capacity refused was asked for all the same.
  EXPECT_NEAR(unscaled(only("communication_balance_coef"), five_rows(off_, scores_, 1)), mean, 1e-6);
}

TEST_F(BalanceRulesTest, CommunicationPerSequenceIsTheirMean) {
  BalanceOptions options = only("communication_balance_coef");
  options.balance_scope = "sequence";
  const double first = 2.0 / 4.0 * (3.0 * device(0, 0, 3) + 1.0 * device(1, 0, 3));
  const double second = 2.0 / 2.0 * (1.0 * device(0, 3, 5) + 1.0 * device(1, 3, 5));
  EXPECT_NEAR(unscaled(options, routing_, {.rows_per_sequence = 3}), 0.5 * (first + second), 1e-6);
}

TEST_F(BalanceRulesTest, DevicesMustDivideTheExperts) {
  for (const char* const coefficient : {"device_balance_coef", "communication_balance_coef"}) {
    BalanceOptions options = only(coefficient);
    options.fields().find("balance_devices").set("3");
    EXPECT_NE(test::error_message([&] {
                unscaled(options, routing_);
              }).find("balance_devices=3 does not divide num_experts=4"),
              std::string::npos);
  }
}

}  // namespace balance_rules_test
}  // namespace witan
