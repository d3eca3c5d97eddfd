// What every balance rule of the table must keep.
#include <gtest/gtest.h>

#include <utility>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "dispatch/sort_by_expert.h"
#include "support/gradient_check.h"

namespace witan {
namespace balance_contract_test {

constexpr std::int64_t kExperts = 4;

class BalanceContract : public testing::TestWithParam<BalanceEntry> {
 protected:
  // Every coefficient is 1: whatever switches the rule on, it is on.
  static BalanceOptions switched_on() {
    BalanceOptions options;
    const Fields fields = options.fields();
    for (const Field& field : fields.all()) {
      if (field.name.ends_with("_coef")) field.set("1");
    }
    fields.find("balance_devices").set("2");
    return options;
  }

  // Row r chooses experts r, r + 1, ... (modulo their number): equal loads when the number of experts divides the rows.
  static Choices round_robin(std::int64_t rows, std::int64_t k) {
    Choices choices{rows, kExperts, k, {}};
    for (std::int64_t slot = 0; slot < rows * k; ++slot) {
      choices.experts.push_back(static_cast<std::int32_t>((slot / k + slot % k) % kExperts));
    }
    return choices;
  }

  static BalanceTerm term(Tape& tape, const BalanceOptions& options, const Choices& choices, const Tensor& scores,
                          const RouterContext& context) {
    const std::vector<float> weights(choices.experts.size(), 1.0F);
    const SortedChoices sorted = sort_by_expert(choices, weights, {});
    const Tensor probabilities = ops::softmax(tape, scores);
    const Assignment& assignment = *sorted.assignment;
    PooledVector<std::int32_t> places;  // the weight of an entry is its probability
    for (std::int32_t e = 0; e < kExperts; ++e) {
      for (const std::int32_t row : assignment.rows_of(e)) places.push_back(row * kExperts + e);
    }
    const Routing routing{sorted.assignment, gather_slots(tape, probabilities, std::move(places)), probabilities, {}};
    const std::unique_ptr<BalanceRule> rule = GetParam().make(options);
    EXPECT_NE(rule, nullptr);
    return rule->term(tape, {ops::log_sum_exp(tape, scores), routing, context});
  }
};

TEST_P(BalanceContract, TakesItsConstantAtPerfectBalance) {
  for (const char* const scale : {"one", "k"}) {
    for (const char* const scope : {"micro_batch", "sequence", "global_batch"}) {
      for (const std::int64_t k : {1, 2, 4}) {
        BalanceOptions options = switched_on();
        options.balance_scale = scale;
        options.balance_scope = scope;
        Tape off;
        const BalanceTerm one = term(off, options, round_robin(16, k), Tensor::zeros({16, kExperts}),
                                     {.training = true, .rows_per_sequence = 8});
        EXPECT_EQ(one.name, GetParam().name);
        EXPECT_NEAR(static_cast<double>(one.unscaled), GetParam().at_balance(options, kExperts, k), 1e-5)
            << scale << ", " << scope << ", k=" << k;
      }
    }
  }
}

TEST_P(BalanceContract, GradientsMatchCentralDifferences) {
  const Tensor scores = test::random_tensor({6, kExperts}, 1);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        return term(tape, switched_on(), round_robin(6, 2), x[0], {.training = true}).value;
      },
      {&scores, 1}, 1e-2F, 2e-3F));
}

TEST_P(BalanceContract, PaddingCountsNowhere) {
  const Tensor scores = test::random_tensor({4, kExperts}, 2);
  Tensor padded = test::random_tensor({7, kExperts}, 3);
  std::copy_n(scores.data(), 4 * kExperts, padded.data());
  Choices choices = round_robin(7, 2);
  std::fill(choices.experts.begin() + 8, choices.experts.end(), kNoExpert);
  const std::vector<std::uint8_t> mask = {1, 1, 1, 1, 0, 0, 0};
  Tape off;
  EXPECT_NEAR(term(off, switched_on(), choices, padded, {.training = true, .row_mask = mask}).unscaled,
              term(off, switched_on(), round_robin(4, 2), scores, {.training = true}).unscaled, 1e-5F);
}

TEST_P(BalanceContract, NoRowsCostNothing) {
  Tape off;
  EXPECT_EQ(term(off, switched_on(), round_robin(0, 2), Tensor::zeros({0, kExperts}), {.training = true}).unscaled,
            0.0F);
}

TEST_P(BalanceContract, TheCoefficientScalesAndZeroSwitchesOff) {
  BalanceOptions halves = switched_on();
  BalanceOptions off_options = switched_on();
  for (BalanceOptions* const options : {&halves, &off_options}) {
    const Fields fields = options->fields();
    for (const Field& field : fields.all()) {
      if (field.name.ends_with("_coef")) field.set(options == &halves ? "0.5" : "0");
    }
  }
  EXPECT_EQ(GetParam().make(off_options), nullptr);
  Tape off;
  const BalanceTerm one = term(off, halves, round_robin(6, 2), test::random_tensor({6, kExperts}, 4), {});
  EXPECT_NEAR(one.value.item(), 0.5F * one.unscaled, 1e-6F);
}

TEST_P(BalanceContract, ItsEntryIsFilled) {
  const BalanceEntry& entry = GetParam();
  for (const std::string* const text : {&entry.summary, &entry.formula, &entry.paper, &entry.balanced_value}) {
    EXPECT_FALSE(text->empty());
    EXPECT_EQ(text->find_first_of("|\n"), std::string::npos) << *text;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryRule, BalanceContract, testing::ValuesIn(balance_table().begin(), balance_table().end()),
                         [](const auto& test) { return test.param.name; });

}  // namespace balance_contract_test
}  // namespace witan
