// Every router of the table inside the whole layer: the one-expert case, the dense mixture, and balance at uniformity.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/ops/elementwise.h"
#include "experts/feed_forward.h"
#include "gates/table.h"
#include "layers/moe_layer.h"
#include "router_cases.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace mixture_contract_test {

constexpr std::int64_t kWidth = 6;
constexpr std::int64_t kExperts = 6;  // can be cut into groups

class MixtureContract : public testing::TestWithParam<test::RouterCase> {
 protected:
  static MoeOptions options(std::int64_t num_experts, std::int64_t k = 0) {
    MoeOptions all;
    static_cast<RouterOptions&>(all) = GetParam().options(num_experts, k);
    all.routed_scaling_factor = 1.0;
    all.moe_intermediate_size = 5;
    all.initializer_range = 0.5;
    all.router_init_scale = 4.0;
    return all;
  }
  static std::map<std::string, Tensor> parameters(const MoeLayer& layer) {
    std::map<std::string, Tensor> all;
    for (const Parameter& parameter : layer.parameters()) all[parameter.name] = parameter.value;
    return all;
  }
  // Expert e of the layer as a dense network.
  static Tensor dense_expert(const MoeLayer& layer, std::int64_t e, const Tensor& rows) {
    Random random(1);
    const FeedForwardExperts expert({.num_experts = 1, .hidden_size = kWidth, .intermediate_size = 5}, random);
    const std::map<std::string, Tensor> weights = parameters(layer);
    for (const Parameter& to : expert.parameters()) {
      const Tensor& from = weights.at("experts." + to.name);
      std::copy_n(from.data() + e * to.value.numel(), to.value.numel(), to.value.data());
    }
    Tape off;
    return expert.forward_dense(off, rows);
  }
  // All rows are the same token.
  RouterContext context(const Tensor& rows, bool training = false, Random* random = nullptr) {
    token_ids_.assign(static_cast<std::size_t>(rows.rows()), 1);
    return {.training = training, .token_ids = token_ids_, .random = random};
  }

  std::vector<std::int32_t> token_ids_;
};

TEST_P(MixtureContract, OneExpertIsThePlainNetworkBitForBit) {
  if (!GetParam().lone_weight_is_one) GTEST_SKIP() << "the weight of the one expert is not 1";
  Random random(2);
  MoeLayer layer(kWidth, options(1), random);
  const Tensor rows = test::random_tensor({9, kWidth}, 3);
  for (const bool training : {true, false}) {
    Tape off;
    EXPECT_TRUE(test::identical(layer.forward(off, rows, context(rows, training, &random)).rows.values(),
                                dense_expert(layer, 0, rows).values()));
  }
}

TEST_P(MixtureContract, AllExpertsRenormalizedIsTheDenseMixture) {
  if (!GetParam().accepts(kExperts, kExperts)) return;  // the router contract sees that it refuses
  if (!GetParam().has_probabilities) GTEST_SKIP() << "no probabilities to mix by";
  if (!GetParam().weighs_by_probability) GTEST_SKIP() << "weights are not the probabilities";
  Random random(2);
  MoeLayer layer(kWidth, options(kExperts, kExperts), random);
  const Tensor rows = test::random_tensor({9, kWidth}, 3);
  Tape off;
  const bool training = !GetParam().k_per_row_in_evaluation;
  const MoeOutput output = layer.forward(off, rows, context(rows, training, &random));
  Tensor expected = Tensor::zeros(rows.shape());
  for (std::int64_t e = 0; e < kExperts; ++e) {
    const Tensor one = dense_expert(layer, e, rows);
    for (std::int64_t row = 0; row < 9; ++row) {
      for (std::int64_t d = 0; d < kWidth; ++d) {
        expected.matrix()(row, d) += output.routing.probabilities.matrix()(row, e) * one.matrix()(row, d);
      }
    }
  }
  EXPECT_TRUE(test::near(output.rows.values(), expected.values(),
                         test::accumulation_tolerance(kExperts * kWidth, test::max_abs(expected.values()))));
}

TEST_P(MixtureContract, RouterLearnsFromTheOutputAndFromBalance) {
  if (!GetParam().entry().uses_gate) GTEST_SKIP() << "no gate to learn";
  Random random(2);
  MoeOptions moe = options(kExperts);
  MoeLayer layer(kWidth, moe, random);
  const Tensor weight = parameters(layer).at("gate.weight");
  const Tensor rows = test::random_tensor({7, kWidth}, 3);  // cannot load six experts equally: balance has a gradient
  for (const bool balance : {false, true}) {
    // Even loads leave a balance loss next to nothing to pull at: sum_e f_e P_e is constant.
    const bool pulls = GetParam().has_probabilities && !GetParam().balances_in_training;
    if (balance ? !pulls : !GetParam().weights_have_gradients) continue;
    Tape tape(Tape::Mode::kRecording);
    const MoeOutput output = layer.forward(tape, rows, context(rows, true, &random));
    weight.grad().clear();
    if (balance) {
      const auto term = std::ranges::find(output.balance, "load_balance", &BalanceTerm::name);
      ASSERT_NE(term, output.balance.end());
      tape.backward(term->value);
    } else {
      tape.backward(output.rows, test::random_tensor(rows.shape(), 4));
    }
    ASSERT_TRUE(weight.grad().present());
    const float largest = test::max_abs(weight.grad().values());
    if (balance && GetParam().equal_loads_in_training) {
      EXPECT_LT(largest, 1e-6F);  // nothing to balance
    } else {
      EXPECT_GT(largest, 1e-6F) << (balance ? "balance" : "output");
    }
  }
}

TEST_P(MixtureContract, LayerGradientsMatchCentralDifferences) {
  Random random(2);
  MoeLayer layer(kWidth, options(kExperts), random);
  std::vector<Tensor> inputs = {test::random_tensor({5, kWidth}, 6)};
  for (const Parameter& parameter : layer.parameters()) inputs.push_back(parameter.value);
  const auto objective = [&](Tape& tape, std::span<const Tensor> x) {
    const MoeOutput output = layer.forward(tape, x[0], context(x[0]));
    std::vector<Tensor> terms = {ops::mean(tape, output.rows)};
    for (const BalanceTerm& term : output.balance) terms.push_back(term.value);
    return ops::weighted_sum(tape, terms, std::vector<float>(terms.size(), 1.0F));
  };
  EXPECT_TRUE(test::gradients_match(objective, inputs, 1e-3F, 2e-2F));
}

TEST_P(MixtureContract, PermutingTheRowsPermutesTheOutput) {
  if (GetParam().by_position) GTEST_SKIP() << "chooses by position";
  Random random(2);
  MoeLayer layer(kWidth, options(kExperts), random);
  const Tensor rows = test::random_tensor({11, kWidth}, 7);
  Tensor reversed = Tensor::uninitialized(rows.shape());
  for (std::int64_t row = 0; row < 11; ++row) {
    std::copy_n(rows.matrix().row(row), kWidth, reversed.matrix().row(10 - row));
  }
  Tape off;
  const Tensor forwards = layer.forward(off, rows, context(rows)).rows;
  const Tensor backwards = layer.forward(off, reversed, context(reversed)).rows;
  const float tolerance = test::accumulation_tolerance(kWidth, test::max_abs(forwards.values()));
  for (std::int64_t row = 0; row < 11; ++row) {
    EXPECT_TRUE(
        test::near({backwards.matrix().row(10 - row), kWidth}, {forwards.matrix().row(row), kWidth}, tolerance));
  }
}

TEST_P(MixtureContract, DroppedRowsAreZeroAndCounted) {
  MoeOptions moe = options(kExperts);
  moe.capacity_factor = moe.eval_capacity_factor = 0.5;
  moe.min_capacity = 1;
  Random random(2);
  MoeLayer layer(kWidth, moe, random);
  const Tensor rows = Tensor::full({64, kWidth}, 1.0F);  // all alike: they ask for the same experts
  Tape off;
  const MoeOutput output = layer.forward(off, rows, context(rows));
  const Assignment& assignment = *output.routing.assignment;
  std::vector<int> entries(64, 0);
  for (const std::int32_t row : assignment.row_indices) ++entries[static_cast<std::size_t>(row)];
  for (std::int64_t row = 0; row < 64; ++row) {
    const bool zero = test::max_abs({output.rows.matrix().row(row), kWidth}) == 0.0F;
    EXPECT_EQ(zero, entries[static_cast<std::size_t>(row)] == 0) << "row " << row;
  }
  const auto dropped = static_cast<double>(assignment.num_dropped());
  const auto served = static_cast<double>(assignment.num_assigned());
  EXPECT_NEAR(output.metrics.dropped_share, dropped / std::max(1.0, dropped + served), 1e-9);
  if (!GetParam().k_per_row_in_evaluation || !GetParam().reads_capacity || GetParam().by_position) return;
  EXPECT_EQ(served, static_cast<double>(GetParam().experts_per_row * GetParam().capacity(0.5, 64, kExperts)));
  EXPECT_EQ(output.metrics.dead_experts, kExperts - GetParam().experts_per_row);
}

INSTANTIATE_TEST_SUITE_P(EveryRouter, MixtureContract, testing::ValuesIn(test::router_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace mixture_contract_test
}  // namespace witan
