// The softmax ops: gradients. Values are tested with the kernels.
#include "autograd/ops/softmax.h"

#include <gtest/gtest.h>

#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_softmax_test {

TEST(SoftmaxOpTest, SoftmaxGradientsMatchCentralDifferences) {
  const Tensor inputs[] = {test::random_tensor({3, 2, 7}, 1)};
  EXPECT_TRUE(
      test::gradients_match([](Tape& tape, std::span<const Tensor> x) { return ops::softmax(tape, x[0]); }, inputs));
}

TEST(SoftmaxOpTest, LogSumExpGradientsMatchCentralDifferences) {
  const Tensor inputs[] = {test::random_tensor({5, 9}, 1)};
  EXPECT_TRUE(test::gradients_match([](Tape& tape, std::span<const Tensor> x) { return ops::log_sum_exp(tape, x[0]); },
                                    inputs));
}

}  // namespace autograd_ops_softmax_test
}  // namespace witan
