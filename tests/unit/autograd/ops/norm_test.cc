// The normalisation ops: gradients and wrong shapes. Values are tested with the kernels.
#include "autograd/ops/norm.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_norm_test {

using test::random_tensor;

TEST(NormOpTest, RmsNormGradientsMatchCentralDifferences) {
  for (const std::int64_t groups : {1, 3}) {
    const Tensor inputs[] = {random_tensor({5, groups * 6}, 1), random_tensor({6}, 2)};
    EXPECT_TRUE(test::gradients_match(
        [](Tape& tape, std::span<const Tensor> x) { return ops::rms_norm(tape, x[0], x[1], 1e-5F); }, inputs))
        << groups << " groups";
  }
}

TEST(NormOpTest, LayerNormGradientsMatchCentralDifferences) {
  const Tensor inputs[] = {random_tensor({2, 3, 7}, 1), random_tensor({7}, 2), random_tensor({7}, 3)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) { return ops::layer_norm(tape, x[0], x[1], x[2], 1e-5F); }, inputs));
  const Tensor without_bias[] = {inputs[0], inputs[1]};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) { return ops::layer_norm(tape, x[0], x[1], {}, 1e-5F); },
      without_bias));
}

TEST(NormOpTest, OneTensorMayBeInputAndWeight) {
  const Tensor inputs[] = {random_tensor({6}, 1)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) { return ops::rms_norm(tape, x[0], x[0], 1e-5F); }, inputs));
}

TEST(NormOpTest, WrongShapesSaySo) {
  Tape tape;
  EXPECT_EQ(test::error_message([&] {
              ops::rms_norm(tape, random_tensor({4, 10}, 1), random_tensor({4}, 2), 1e-5F);
            }),
            "rms_norm: x=[4, 10] does not fit weight=[4]; expected x [.., n * W] and weight [W]");
  EXPECT_EQ(test::error_message([&] {
              ops::rms_norm(tape, random_tensor({4, 10}, 1), random_tensor({5}, 2), 0.0F);
            }),
            "rms_norm: epsilon=0 must be above 0");
  EXPECT_EQ(test::error_message([&] {
              ops::layer_norm(tape, random_tensor({4, 10}, 1), random_tensor({10}, 2), random_tensor({9}, 3), 1e-5F);
            }),
            "layer_norm: x=[4, 10] does not fit weight=[10] and bias=[9]; expected x [.., W] and both [W]");
}

TEST(NormOpsTest, AReshapedTensorIsNormalizedAsItIsSeen) {
  const std::vector<Tensor> inputs = {test::random_tensor({2, 6}, 1), test::random_tensor({3}, 2),
                                      test::random_tensor({3}, 3)};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) {
        return ops::layer_norm(tape, x[0].reshaped({4, 3}), x[1], x[2], 1e-5F);
      },
      inputs));
}

TEST(NormOpsTest, UnitRowsHaveLengthOneAndZeroStaysZero) {
  const Tensor x = test::random_tensor({3, 5}, 4, 7.0F);
  Tape off;
  const Tensor y = ops::unit_norm(off, x);
  for (std::int64_t row = 0; row < 3; ++row) {
    double sum = 0.0;
    for (std::int64_t c = 0; c < 5; ++c)
      sum += static_cast<double>(y.matrix()(row, c)) * static_cast<double>(y.matrix()(row, c));
    EXPECT_NEAR(sum, 1.0, 1e-6);
  }
  EXPECT_EQ(ops::unit_norm(off, Tensor::zeros({1, 5})).values()[0], 0.0F);
  EXPECT_TRUE(
      test::gradients_match([](Tape& tape, std::span<const Tensor> z) { return ops::unit_norm(tape, z[0]); }, {&x, 1}));
}

}  // namespace autograd_ops_norm_test
}  // namespace witan
