// The mixture pipeline as a whole: parts put together right, shared experts, jitter, masks, the one-expert case.
#include "layers/moe_layer.h"

#include <gtest/gtest.h>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "experts/feed_forward.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace moe_layer_test {

constexpr std::int64_t kWidth = 6;

MoeOptions small_options() {
  MoeOptions options;
  options.num_experts = 4;
  options.num_experts_per_tok = 2;
  options.moe_intermediate_size = 5;
  options.initializer_range = 0.5;
  options.router_init_scale = 4.0;
  return options;
}

Tensor forward(MoeLayer& layer, const Tensor& rows, const RouterContext& context = {}) {
  Tape off;
  return layer.forward(off, rows, context).rows;
}

TEST(MoeLayerTest, GradientsReachRowsGateAndExperts) {
  Random random(1);
  MoeLayer layer(kWidth, small_options(), random);
  std::vector<Tensor> inputs = {test::random_tensor({7, kWidth}, 2)};
  for (const Parameter& parameter : layer.parameters()) inputs.push_back(parameter.value);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return layer.forward(tape, x[0], {}).rows; }, inputs, 1e-3F));
}

TEST(MoeLayerTest, OneExpertIsTheDenseNetworkBitForBit) {
  MoeOptions options = small_options();
  options.num_experts = 1;
  options.num_experts_per_tok = 1;
  const Tensor rows = test::random_tensor({9, kWidth}, 3);
  for (const char* const weighting : {"softmax_then_topk", "topk_then_softmax", "softmax_topk_norm"}) {
    options.weighting = weighting;
    Random random(1);
    MoeLayer layer(kWidth, options, random);
    Random other(2);
    const FeedForwardExperts dense({.num_experts = 1, .hidden_size = kWidth, .intermediate_size = 5}, other);
    for (const Parameter& from : layer.parameters()) {
      for (const Parameter& to : dense.parameters()) {
        if (from.name == "experts." + to.name) std::ranges::copy(from.value.values(), to.value.data());
      }
    }
    Tape off;
    EXPECT_TRUE(test::identical(forward(layer, rows).values(), dense.forward_dense(off, rows).values())) << weighting;
  }
}

TEST(MoeLayerTest, SharedExpertsServeEveryRow) {
  MoeOptions options = small_options();
  Random random(1);
  MoeLayer plain(kWidth, options, random);
  options.n_shared_experts = 2;
  Random again(1);
  MoeLayer with_shared(kWidth, options, again);
  FeedForwardExperts shared({.num_experts = 1, .hidden_size = kWidth, .intermediate_size = 10}, random);
  for (const Parameter& from : with_shared.parameters()) {
    for (const Parameter& to : shared.parameters()) {
      if (from.name == "shared_expert." + to.name) std::ranges::copy(from.value.values(), to.value.data());
    }
  }
  const Tensor rows = test::random_tensor({5, kWidth}, 3);
  Tape off;
  const Tensor expected = ops::add(off, forward(plain, rows), shared.forward_dense(off, rows));
  EXPECT_TRUE(test::near(forward(with_shared, rows).values(), expected.values(), 1e-5F));
}

TEST(MoeLayerTest, JitterIsSeenByTheGateAloneAndInTrainingAlone) {
  MoeOptions options = small_options();
  Random random(1);
  MoeLayer quiet(kWidth, options, random);
  options.router_jitter_noise = 0.3;
  Random again(1);
  MoeLayer noisy(kWidth, options, again);
  const Tensor rows = test::random_tensor({40, kWidth}, 3);
  EXPECT_TRUE(test::identical(forward(noisy, rows).values(), forward(quiet, rows).values()));

  Random draws(5);
  Tape off;
  const MoeOutput trained = noisy.forward(off, rows, {.training = true, .random = &draws});
  const MoeOutput evaluated = noisy.forward(off, rows, {});
  EXPECT_FALSE(test::identical(trained.routing.probabilities.values(), evaluated.routing.probabilities.values()));
  Random same(5);
  EXPECT_TRUE(test::identical(noisy.forward(off, rows, {.training = true, .random = &same}).rows.values(),
                              trained.rows.values()));
  options.num_experts_per_tok = 4;  // every expert serves: only the weights may differ
  options.weighting = "softmax_then_topk";
  Random third(1);
  MoeLayer all(kWidth, options, third);
  Random draws_again(5);
  const MoeOutput jittered = all.forward(off, rows, {.training = true, .random = &draws_again});
  const MoeOutput still = all.forward(off, rows, {});
  EXPECT_TRUE(test::near(jittered.rows.values(), still.rows.values(), 0.5F * test::max_abs(still.rows.values())));
}

TEST(MoeLayerTest, MaskedRowsGetNothingAndCountNowhere) {
  MoeOptions options = small_options();
  Random random(1);
  MoeLayer layer(kWidth, options, random);
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1, 0, 1};
  Tensor kept = Tensor::uninitialized({4, kWidth});
  std::int64_t next = 0;
  for (std::int64_t row = 0; row < 6; ++row) {
    if (mask[static_cast<std::size_t>(row)] != 0) {
      std::copy_n(rows.matrix().row(row), kWidth, kept.matrix().row(next++));
    }
  }
  Tape off;
  const MoeOutput masked = layer.forward(off, rows, {.row_mask = mask});
  const MoeOutput alone = layer.forward(off, kept, {});
  next = 0;
  for (std::int64_t row = 0; row < 6; ++row) {
    const std::span<const float> output(masked.rows.matrix().row(row), kWidth);
    if (mask[static_cast<std::size_t>(row)] == 0) {
      EXPECT_EQ(test::max_abs(output), 0.0F);
    } else {
      EXPECT_TRUE(test::near(output, {alone.rows.matrix().row(next++), kWidth}, 1e-6F));
    }
  }
  EXPECT_EQ(masked.metrics.rows_per_expert, alone.metrics.rows_per_expert);
  EXPECT_NEAR(masked.metrics.router_entropy, alone.metrics.router_entropy, 1e-6);
  EXPECT_NEAR(masked.metrics.mean_z, alone.metrics.mean_z, 1e-6);
  ASSERT_EQ(masked.balance.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(masked.balance[i].unscaled, alone.balance[i].unscaled, 1e-6F);
}

TEST(MoeLayerTest, ParametersAreNamedAsInTheCheckpoint) {
  MoeOptions options = small_options();
  options.n_shared_experts = 1;
  Random random(1);
  const MoeLayer layer(kWidth, options, random);
  std::vector<std::string> names;
  for (const Parameter& parameter : layer.parameters()) names.push_back(parameter.name);
  const std::vector<std::string> expected = {"gate.weight",
                                             "experts.gate_proj",
                                             "experts.up_proj",
                                             "experts.down_proj",
                                             "shared_expert.gate_proj",
                                             "shared_expert.up_proj",
                                             "shared_expert.down_proj"};
  EXPECT_EQ(names, expected);
}

TEST(MoeLayerTest, SecondStepTakesNothingFromTheSystem) {
  Random random(1);
  MoeLayer layer(kWidth, small_options(), random);
  const Tensor rows = test::random_tensor({50, kWidth}, 3);
  const auto step = [&] {
    Tape tape(Tape::Mode::kRecording);
    const MoeOutput output = layer.forward(tape, rows, {.training = true});
    tape.backward(ops::add(tape, ops::mean(tape, output.rows), output.balance[0].value));
    rows.grad().clear();
    for (const Parameter& parameter : layer.parameters()) parameter.value.grad().clear();
  };
  step();
  const PoolStatistics before = pool_statistics();
  step();
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
}

TEST(MoeLayerTest, RefusesOptionsThatDoNotFit) {
  const auto make = [](const auto& change) {
    MoeOptions options = small_options();
    change(options);
    Random random(1);
    MoeLayer layer(kWidth, options, random);
  };
  EXPECT_THROW(make([](MoeOptions& o) { o.router = "topk"; }), Error);
  EXPECT_THROW(make([](MoeOptions& o) { o.gate = "cosin"; }), Error);
  EXPECT_THROW(make([](MoeOptions& o) { o.hidden_act = "swish"; }), Error);
  EXPECT_THROW(make([](MoeOptions& o) { o.num_experts_per_tok = 5; }), Error);
  Random random(1);
  MoeLayer layer(kWidth, small_options(), random);
  EXPECT_THROW(forward(layer, Tensor::zeros({2, kWidth + 1})), Error);
}

TEST(MoeOptionsTest, FieldsReachTheOptionsOfTableEntries) {
  MoeOptions options;
  options.fields().find("topk_norm_order").set("2");
  EXPECT_EQ(options.router_extra.real("topk_norm_order"), 2.0);
  MoeOptions copy = options;
  copy.fields().find("topk_norm_order").set("3");
  EXPECT_EQ(options.router_extra.real("topk_norm_order"), 2.0);
  EXPECT_THROW(options.fields().find("num_expert"), Error);
}

}  // namespace moe_layer_test
}  // namespace witan
