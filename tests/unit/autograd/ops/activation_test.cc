// Nonlinearities: gradients and errors.
#include "autograd/ops/activation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_activation_test {

class ActivationOpTest : public testing::TestWithParam<Activation> {};

// Relu has no derivative at 0: keep differences on one side.
Tensor away_from_zero(Shape shape, std::uint64_t seed) {
  Tensor x = test::random_tensor(shape, seed);
  for (float& value : x.values()) value += value < 0.0F ? -0.1F : 0.1F;
  return x;
}

TEST_P(ActivationOpTest, GradientMatchesDifferences) {
  const Tensor inputs[] = {away_from_zero({3, 7}, 1)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> in) { return ops::activation(tape, in[0], GetParam()); }, inputs));
}

TEST_P(ActivationOpTest, GatedGradientsMatchDifferencesAlsoWhenShared) {
  const Tensor inputs[] = {away_from_zero({3, 7}, 1), test::random_tensor({3, 7}, 2)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> in) { return ops::gated_activation(tape, in[0], in[1], GetParam()); },
      inputs));
  const Tensor shared[] = {away_from_zero({3, 7}, 1)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> in) { return ops::gated_activation(tape, in[0], in[0], GetParam()); },
      shared));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ActivationOpTest,
                         testing::Values(Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu,
                                         Activation::kQuickGelu, Activation::kRelu2, Activation::kTanh));

TEST(GatedActivationOpTest, DifferentShapesAreErrors) {
  Tape tape;
  EXPECT_THROW(ops::gated_activation(tape, Tensor::zeros({2, 3}), Tensor::zeros({3, 2}), Activation::kSilu), Error);
}

}  // namespace autograd_ops_activation_test
}  // namespace witan
