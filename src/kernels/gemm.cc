// Matrix product on the engine of the grouped products, so that one expert and a dense layer compute the same bits.
#include "kernels/gemm.h"

#include "base/error.h"
#include "kernels/product.h"

namespace witan::kernels {
namespace {

struct Sizes {
  std::int64_t m;
  std::int64_t n;
  std::int64_t k;
};

Sizes checked_sizes(Op op_a, Op op_b, const ConstMatrix& a, const ConstMatrix& b, float beta, const Matrix& c) {
  const std::int64_t k = op_a == Op::kPlain ? a.cols : a.rows;
  WITAN_ASSERT(c.rows == (op_a == Op::kPlain ? a.rows : a.cols));
  WITAN_ASSERT(c.cols == (op_b == Op::kPlain ? b.cols : b.rows));
  WITAN_ASSERT(k == (op_b == Op::kPlain ? b.rows : b.cols));
  WITAN_ASSERT(beta == 0.0F || beta == 1.0F);
  return {c.rows, c.cols, k};
}

}  // namespace

void gemm(Op op_a, Op op_b, ConstMatrix a, ConstMatrix b, float beta, Matrix c) {
  const Sizes size = checked_sizes(op_a, op_b, a, b, beta, c);
  using Layout = Factor::Layout;
  Product product;
  product.rows = size.m;
  product.cols = size.n;
  product.depth = size.k;
  product.left = {a.data, a.stride, op_a == Op::kPlain ? Layout::kSideMajor : Layout::kDepthMajor, nullptr};
  product.right[0] = {b.data, b.stride, op_b == Op::kPlain ? Layout::kDepthMajor : Layout::kSideMajor, nullptr};
  product.result[0] = c;
  product.accumulate = beta != 0.0F;
  run_products({&product, 1});
}

void gemm_reference(Op op_a, Op op_b, ConstMatrix a, ConstMatrix b, float beta, Matrix c) {
  const Sizes size = checked_sizes(op_a, op_b, a, b, beta, c);
  for (std::int64_t i = 0; i < size.m; ++i) {
    for (std::int64_t j = 0; j < size.n; ++j) {
      double sum = beta == 0.0F ? 0.0 : static_cast<double>(c(i, j));
      for (std::int64_t p = 0; p < size.k; ++p) {
        const float left = op_a == Op::kPlain ? a(i, p) : a(p, i);
        const float right = op_b == Op::kPlain ? b(p, j) : b(j, p);
        sum += static_cast<double>(left) * static_cast<double>(right);
      }
      c(i, j) = static_cast<float>(sum);
    }
  }
}

}  // namespace witan::kernels
