// Block by block, the same as single products.
#include "autograd/ops/batched_matmul.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace batched_matmul_test {

using kernels::Op;

TEST(BatchedMatmulTest, EachBlockIsAProductOfItsOwn) {
  const Tensor a = test::random_tensor({3 * 4, 5}, 1);
  const Tensor b = test::random_tensor({3 * 5, 2}, 2);
  const Tensor c = test::random_tensor({3 * 4, 2}, 3);
  Tape off;
  const Tensor plain = ops::batched_matmul(off, Op::kPlain, a, b, 3);
  const Tensor transposed = ops::batched_matmul(off, Op::kTransposed, a, c, 3);
  ASSERT_EQ(plain.shape(), (Shape{12, 2}));
  ASSERT_EQ(transposed.shape(), (Shape{15, 2}));
  for (std::int64_t i = 0; i < 3; ++i) {
    Tensor expected = Tensor::uninitialized({4, 2});
    kernels::gemm_reference(Op::kPlain, Op::kPlain, {a.data() + i * 20, 4, 5}, {b.data() + i * 10, 5, 2}, 0.0F,
                            expected.matrix());
    EXPECT_TRUE(test::near({plain.data() + i * 8, 8}, expected.values(), 1e-5F));
    expected = Tensor::uninitialized({5, 2});
    kernels::gemm_reference(Op::kTransposed, Op::kPlain, {a.data() + i * 20, 4, 5}, {c.data() + i * 8, 4, 2}, 0.0F,
                            expected.matrix());
    EXPECT_TRUE(test::near({transposed.data() + i * 10, 10}, expected.values(), 1e-5F));
  }
}

TEST(BatchedMatmulTest, GradientsMatchCentralDifferences) {
  const auto product = [](Op op) {
    return [op](Tape& tape, std::span<const Tensor> x) { return ops::batched_matmul(tape, op, x[0], x[1], 2); };
  };
  const std::vector<Tensor> plain = {test::random_tensor({6, 4}, 1), test::random_tensor({8, 2}, 2)};
  EXPECT_TRUE(test::gradients_match(product(Op::kPlain), plain));
  const std::vector<Tensor> transposed = {test::random_tensor({6, 4}, 1), test::random_tensor({6, 2}, 2)};
  EXPECT_TRUE(test::gradients_match(product(Op::kTransposed), transposed));
}

TEST(BatchedMatmulTest, ShapesThatDoNotFitAreRefused) {
  Tape off;
  EXPECT_THROW(ops::batched_matmul(off, Op::kPlain, Tensor::zeros({6, 4}), Tensor::zeros({9, 2}), 2), Error);
  EXPECT_THROW(ops::batched_matmul(off, Op::kTransposed, Tensor::zeros({6, 4}), Tensor::zeros({8, 2}), 2), Error);
  EXPECT_THROW(ops::batched_matmul(off, Op::kPlain, Tensor::zeros({6, 4}), Tensor::zeros({8, 2}), 4), Error);
}

}  // namespace batched_matmul_test
}  // namespace witan
