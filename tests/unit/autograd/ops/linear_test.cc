// Linear map: gradients and errors.
#include "autograd/ops/linear.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace linear_test {

TEST(LinearOpTest, GradientsMatchDifferences) {
  const Tensor inputs[] = {test::random_tensor({2, 3, 5}, 1), test::random_tensor({4, 5}, 2),
                           test::random_tensor({4}, 3)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> in) { return ops::linear(tape, in[0], in[1], in[2]); }, inputs));
}

TEST(LinearOpTest, GradientsAddWhenAnInputIsUsedTwice) {
  const Tensor inputs[] = {test::random_tensor({3, 4}, 1), test::random_tensor({4, 4}, 2)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> in) { return ops::linear(tape, ops::linear(tape, in[0], in[1]), in[1]); },
      inputs));
}

TEST(LinearOpTest, FrozenWeightStillPassesTheGradientOn) {
  const Tensor weight = test::random_tensor({4, 5}, 2);
  weight.grad().clear();
  const Tensor frozen = weight.detached();
  const Tensor inputs[] = {test::random_tensor({3, 5}, 1)};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> in) { return ops::linear(tape, in[0], frozen); }, inputs));
  EXPECT_FALSE(weight.grad().present());
}

TEST(LinearOpTest, WrongWidthsAreErrors) {
  Tape tape;
  const Tensor x = Tensor::zeros({3, 5});
  EXPECT_THROW(ops::linear(tape, x, Tensor::zeros({4, 6})), Error);
  EXPECT_THROW(ops::linear(tape, x, Tensor::zeros({4, 5}), Tensor::zeros({5})), Error);
}

}  // namespace linear_test
}  // namespace witan
