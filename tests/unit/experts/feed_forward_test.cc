// Feed-forward experts: gradients of every kind, the dense case, determinism, memory.
#include "experts/feed_forward.h"

#include <gtest/gtest.h>

#include "autograd/ops/activation.h"
#include "autograd/ops/grouped_linear.h"
#include "base/error.h"
#include "base/pool.h"
#include "support/assignments.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace feed_forward_test {

FeedForwardOptions options_of(std::int64_t experts, Activation activation, bool gated) {
  return {.num_experts = experts,
          .hidden_size = 5,
          .intermediate_size = 7,
          .activation = activation,
          .gated = gated,
          .initializer_range = 0.7F};
}

std::vector<Tensor> rows_and_weights(const FeedForwardExperts& experts, std::int64_t rows) {
  std::vector<Tensor> inputs = {test::random_tensor({rows, 5}, 3)};
  for (const Parameter& parameter : experts.parameters()) inputs.push_back(parameter.value);
  return inputs;
}

TEST(FeedForwardTest, GradientsMatchDifferences) {
  // Expert 2 has no rows, row 1 no expert.
  const std::vector<std::int32_t> choices[] = {{0, 1}, {}, {1, 3}, {3}};
  const Assignment assignment = test::assignment_of(choices, 4);
  for (const bool gated : {true, false}) {
    for (const Activation activation : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
      Random random(1);
      const FeedForwardExperts experts(options_of(4, activation, gated), random);
      EXPECT_TRUE(test::gradients_match(
          [&](Tape& tape, std::span<const Tensor> in) { return experts.forward(tape, in[0], assignment); },
          rows_and_weights(experts, 4)))
          << activation_name(activation) << ", gated " << gated;
    }
  }
}

TEST(FeedForwardTest, DenseIsTheOneExpertCaseBitForBit) {
  constexpr std::int64_t kRows = 53;
  const std::vector<std::vector<std::int32_t>> choices(kRows, {0});
  const Assignment everything = test::assignment_of(choices, 1);
  for (const bool gated : {true, false}) {
    Random random(1);
    const FeedForwardExperts experts(options_of(1, Activation::kSilu, gated), random);
    const std::vector<Tensor> inputs = rows_and_weights(experts, kRows);
    const Tensor upstream = test::random_tensor({kRows, 5}, 9);
    std::vector<std::vector<float>> results[2];
    for (const bool dense : {false, true}) {
      Tape tape(Tape::Mode::kRecording);
      const Tensor y = dense ? experts.forward_dense(tape, inputs[0]) : experts.forward(tape, inputs[0], everything);
      results[dense].emplace_back(y.values().begin(), y.values().end());
      tape.backward(y, upstream);
      for (const Tensor& input : inputs) {
        results[dense].emplace_back(input.grad().values().begin(), input.grad().values().end());
        input.grad().clear();
      }
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(test::identical(results[0][i], results[1][i])) << i;
  }
}

// The fused op against the same experts made of separate ops.
TEST(FeedForwardTest, MatchesSeparateOps) {
  const Assignment assignment = test::random_assignment(40, 6, 2);
  for (const bool gated : {true, false}) {
    Random random(1);
    const FeedForwardExperts experts(options_of(6, Activation::kSilu, gated), random);
    const std::vector<Tensor> inputs = rows_and_weights(experts, 40);
    const Tensor upstream = test::random_tensor({80, 5}, 9);
    std::vector<std::vector<float>> results[2];
    for (const bool fused : {false, true}) {
      Tape tape(Tape::Mode::kRecording);
      Tensor y;
      if (fused) {
        y = experts.forward(tape, inputs[0], assignment);
      } else if (gated) {
        const Tensor gate = ops::grouped_linear(tape, inputs[0], assignment, true, inputs[1]);
        const Tensor up = ops::grouped_linear(tape, inputs[0], assignment, true, inputs[2]);
        const Tensor hidden = ops::gated_activation(tape, gate, up, Activation::kSilu);
        y = ops::grouped_linear(tape, hidden, assignment, false, inputs[3]);
      } else {
        const Tensor up = ops::grouped_linear(tape, inputs[0], assignment, true, inputs[1]);
        y = ops::grouped_linear(tape, ops::activation(tape, up, Activation::kSilu), assignment, false, inputs[2]);
      }
      results[fused].emplace_back(y.values().begin(), y.values().end());
      tape.backward(y, upstream);
      for (const Tensor& input : inputs) {
        results[fused].emplace_back(input.grad().values().begin(), input.grad().values().end());
        input.grad().clear();
      }
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_TRUE(test::near(results[1][i], results[0][i], 1e-5F * (1.0F + test::max_abs(results[0][i])))) << i;
    }
  }
}

// With the tape off nothing is kept and the values are the same.
TEST(FeedForwardTest, TapeOffGivesTheSameBits) {
  const Assignment assignment = test::random_assignment(40, 6, 2);
  Random random(1);
  const FeedForwardExperts experts(options_of(6, Activation::kGelu, true), random);
  const Tensor rows = test::random_tensor({40, 5}, 3);
  Tape off;
  Tape recording(Tape::Mode::kRecording);
  const Tensor without = experts.forward(off, rows, assignment);
  EXPECT_TRUE(test::identical(without.values(), experts.forward(recording, rows, assignment).values()));
  EXPECT_FALSE(without.requires_grad());
}

TEST(FeedForwardTest, SecondPassAllocatesNothingFromTheSystem) {
  const Assignment assignment = test::random_assignment(60, 4, 2);
  Random random(1);
  const FeedForwardExperts experts(options_of(4, Activation::kSilu, true), random);
  const std::vector<Tensor> inputs = rows_and_weights(experts, 60);
  const Tensor upstream = test::random_tensor({120, 5}, 9);
  const auto pass = [&] {
    Tape tape(Tape::Mode::kRecording);
    tape.backward(experts.forward(tape, inputs[0], assignment), upstream);
    for (const Tensor& input : inputs) input.grad().clear();
  };
  pass();
  const PoolStatistics before = pool_statistics();
  pass();
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(pool_statistics().bytes_in_use, before.bytes_in_use);
}

TEST(FeedForwardTest, ParametersAreNamedAndShaped) {
  Random random(1);
  const FeedForwardExperts gated(options_of(3, Activation::kSilu, true), random);
  ASSERT_EQ(gated.parameters().size(), 3U);
  EXPECT_EQ(gated.parameters()[0].name, "gate_proj");
  EXPECT_EQ(gated.parameters()[0].value.shape(), (Shape{3, 7, 5}));
  EXPECT_EQ(gated.parameters()[2].name, "down_proj");
  EXPECT_EQ(gated.parameters()[2].value.shape(), (Shape{3, 5, 7}));
  const FeedForwardExperts plain(options_of(3, Activation::kRelu, false), random);
  ASSERT_EQ(plain.parameters().size(), 2U);
  EXPECT_EQ(plain.parameters()[0].name, "up_proj");
}

TEST(FeedForwardTest, MisuseIsAnError) {
  Random random(1);
  EXPECT_THROW(FeedForwardExperts(options_of(0, Activation::kSilu, true), random), Error);
  const FeedForwardExperts experts(options_of(2, Activation::kSilu, true), random);
  Tape tape;
  EXPECT_THROW(experts.forward_dense(tape, Tensor::zeros({4, 5})), Error);
  EXPECT_THROW(experts.forward(tape, Tensor::zeros({4, 5}), test::random_assignment(4, 3, 1)), Error);
  EXPECT_THROW(experts.forward(tape, Tensor::zeros({4, 6}), test::random_assignment(4, 2, 1)), Error);
}

}  // namespace feed_forward_test
}  // namespace witan
