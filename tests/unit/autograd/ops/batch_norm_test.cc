// Columns of mean 0 and variance 1, with masks, and the gradient through the statistics.
#include "autograd/ops/batch_norm.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace batch_norm_test {

const std::vector<std::uint8_t> kMask = {1, 1, 0, 1, 1};

TEST(BatchNormTest, CountedRowsHaveMeanZeroAndVarianceOne) {
  const Tensor x = test::random_tensor({5, 3}, 1, 4.0F);
  Tape off;
  const Tensor y = ops::batch_norm(off, x, Tensor::full({3}, 1.0F), Tensor::zeros({3}),
                                   ops::column_statistics(x, kMask), true, kMask, 1e-6F);
  const ops::ColumnStatistics after = ops::column_statistics(y, kMask);
  EXPECT_TRUE(test::near(after.mean.values(), std::vector<float>(3, 0.0F), 1e-5F));
  EXPECT_TRUE(test::near(after.variance.values(), std::vector<float>(3, 1.0F), 1e-4F));
}

TEST(BatchNormTest, GradientsMatchCentralDifferences) {
  const std::vector<Tensor> inputs = {test::random_tensor({5, 3}, 1), test::random_tensor({3}, 2),
                                      test::random_tensor({3}, 3)};
  for (const bool masked : {false, true}) {
    const std::span<const std::uint8_t> mask =
        masked ? std::span<const std::uint8_t>(kMask) : std::span<const std::uint8_t>();
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          return ops::batch_norm(tape, x[0], x[1], x[2], ops::column_statistics(x[0], mask), true, mask, 1e-5F);
        },
        inputs))
        << masked;
  }
  const ops::ColumnStatistics kept{Tensor::full({3}, 0.5F), Tensor::full({3}, 2.0F)};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        return ops::batch_norm(tape, x[0], x[1], x[2], kept, false, {}, 1e-5F);
      },
      inputs));
}

TEST(BatchNormTest, NoRowsHaveTheStatisticsOfNothing) {
  const ops::ColumnStatistics none = ops::column_statistics(Tensor::zeros({0, 2}), {});
  EXPECT_EQ(none.mean.values()[0], 0.0F);
  EXPECT_EQ(none.variance.values()[1], 1.0F);
  Tape off;
  EXPECT_THROW(
      ops::batch_norm(off, Tensor::zeros({4, 2}), Tensor::zeros({3}), Tensor::zeros({2}), none, false, {}, 1e-5F),
      Error);
}

}  // namespace batch_norm_test
}  // namespace witan
