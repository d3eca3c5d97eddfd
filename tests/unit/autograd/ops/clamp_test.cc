// Clamp: values, gradient inside and outside, NaN.
#include "autograd/ops/clamp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace clamp_test {

TEST(ClampTest, LimitsBothSides) {
  Tape tape;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from({7}, std::vector<float>{-kInfinity, -3.0F, -2.0F, 0.5F, 2.0F, 2.5F, kInfinity});
  const std::vector<float> expected = {-2.0F, -2.0F, -2.0F, 0.5F, 2.0F, 2.0F, 2.0F};
  EXPECT_TRUE(test::identical(ops::clamp(tape, x, 2.0F).values(), expected));
  EXPECT_TRUE(std::isnan(ops::clamp(tape, Tensor::scalar(std::nanf("")), 2.0F).item()));
  EXPECT_EQ(ops::clamp(tape, Tensor::zeros({0, 3}), 1.0F).numel(), 0);
  EXPECT_THROW(ops::clamp(tape, x, 0.0F), Error);
}

TEST(ClampTest, GradientPassesInsideOnly) {
  const Tensor x = Tensor::from({2, 3}, std::vector<float>{-3.0F, -1.0F, 0.2F, 1.5F, 2.5F, 9.0F});
  Tensor tracked = x;
  tracked.set_requires_grad(true);
  EXPECT_TRUE(
      test::gradients_match([](Tape& tape, std::span<const Tensor> given) { return ops::clamp(tape, given[0], 2.0F); },
                            std::span<const Tensor>(&tracked, 1)));
  Tape tape(Tape::Mode::kRecording);
  tracked.grad().clear();
  tape.backward(ops::clamp(tape, tracked, 2.0F), Tensor::full({2, 3}, 1.0F));
  EXPECT_TRUE(test::identical(tracked.grad().values(), std::vector<float>{0.0F, 1.0F, 1.0F, 1.0F, 0.0F, 0.0F}));
}

}  // namespace clamp_test
}  // namespace witan
