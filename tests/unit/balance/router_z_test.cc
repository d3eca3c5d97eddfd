// The router z-loss against its formula.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "support/gradient_check.h"

namespace witan {
namespace router_z_test {

BalanceOptions z_only() {
  BalanceOptions options;
  options.router_aux_loss_coef = 0.0;
  options.router_z_loss_coef = 0.5;
  return options;
}

TEST(RouterZTest, MeanSquareOfTheLogNormalizerWithoutPadding) {
  const Tensor scores = test::random_tensor({3, 4}, 1, 3.0F);
  const std::vector<std::uint8_t> mask = {1, 0, 1};
  double expected = 0.0;
  for (const std::int64_t row : {0, 2}) {
    double sum = 0.0;
    for (std::int64_t e = 0; e < 4; ++e) sum += std::exp(static_cast<double>(scores.matrix()(row, e)));
    expected += 0.5 * std::log(sum) * std::log(sum);
  }
  const auto rules = make_balance_rules(z_only());
  ASSERT_EQ(rules.size(), 1U);
  Tape off;
  const Routing unused;
  const BalanceTerm term = rules[0]->term(off, {ops::log_sum_exp(off, scores), unused, {.row_mask = mask}});
  EXPECT_EQ(term.name, "router_z");
  EXPECT_NEAR(static_cast<double>(term.unscaled), expected, 1e-5);
  EXPECT_NEAR(static_cast<double>(term.value.item()), 0.5 * expected, 1e-5);
}

TEST(RouterZTest, GradientsMatchCentralDifferences) {
  const Tensor scores = test::random_tensor({4, 3}, 2);
  const auto rules = make_balance_rules(z_only());
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1};
  const Routing unused;
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        return rules[0]->term(tape, {ops::log_sum_exp(tape, x[0]), unused, {.row_mask = mask}}).value;
      },
      {&scores, 1}, 1e-2F, 2e-3F));
}

TEST(RouterZTest, NoRowsCostNothing) {
  Tape off;
  const Routing unused;
  EXPECT_EQ(make_balance_rules(z_only())[0]->term(off, {Tensor::zeros({0}), unused, {}}).unscaled, 0.0F);
}

}  // namespace router_z_test
}  // namespace witan
