// Matrix product: oneDNN, but for large gradients of weights, which our own engine writes past the caches.
#include "kernels/gemm.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "kernels/isa.h"
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

// a' b with a result of this many elements or more: measured 10 % faster on our engine (bench/RESULTS.md), where
// smaller results and the other forms are 5 to 15 % slower.
constexpr std::int64_t kOwnElements = 1 << 18;

void gemm_of_engine(const Sizes& size, ConstMatrix a, ConstMatrix b, float beta, Matrix c) {
  Product product;
  product.rows = size.m;
  product.cols = size.n;
  product.depth = size.k;
  product.left = {a.data, a.stride, Factor::Layout::kDepthMajor, nullptr};
  product.right[0] = {b.data, b.stride, Factor::Layout::kDepthMajor, nullptr};
  product.result[0] = c;
  product.accumulate = beta != 0.0F;
  product.written_for_later = true;
  run_products({&product, 1});
}

// c = a b' with b [n, k] in sixteen bits.
void gemm_of_weights(ConstMatrix a, const Factor& b, std::int64_t n, std::int64_t k, Matrix c) {
  WITAN_ASSERT(c.rows == a.rows && c.cols == n && a.cols == k);
  Product product;
  product.rows = a.rows;
  product.cols = n;
  product.depth = k;
  product.left = {a.data, a.stride, Factor::Layout::kSideMajor, nullptr};
  product.right[0] = b;
  product.result[0] = c;
  run_products({&product, 1});
}

template <class Element>
void reference_of_weights(ConstMatrix a, MatrixView<const Element> b, Matrix c) {
  std::vector<float> wide;
  for (std::int64_t row = 0; row < b.rows; ++row) {
    std::transform(b.row(row), b.row(row) + b.cols, std::back_inserter(wide), [](Element v) { return to_float(v); });
  }
  gemm_reference(Op::kPlain, Op::kTransposed, a, {wide.data(), b.rows, b.cols}, 0.0F, c);
}

}  // namespace

void gemm(Op op_a, Op op_b, ConstMatrix a, ConstMatrix b, float beta, Matrix c) {
  const Sizes size = checked_sizes(op_a, op_b, a, b, beta, c);
  if (size.m == 0 || size.n == 0) return;
  if (size.k == 0) {
    if (beta != 0.0F) return;
    for (std::int64_t r = 0; r < size.m; ++r) std::fill_n(c.row(r), size.n, 0.0F);
    return;
  }
  if (op_a == Op::kTransposed && op_b == Op::kPlain && size.m * size.n >= kOwnElements) {
    return gemm_of_engine(size, a, b, beta, c);
  }
  apply_isa_of_environment();
  const auto letter = [](Op op) { return op == Op::kPlain ? 'N' : 'T'; };
  const dnnl_status_t status = dnnl_sgemm(letter(op_a), letter(op_b), size.m, size.n, size.k, 1.0F, a.data, a.stride,
                                          b.data, b.stride, beta, c.data, c.stride);
  WITAN_ASSERT(status == dnnl_success);
}

void gemm(ConstMatrix a, MatrixView<const BFloat16> b, Matrix c) {
  gemm_of_weights(a, {.stride = b.stride, .bf16 = b.data}, b.rows, b.cols, c);
}

void gemm(ConstMatrix a, MatrixView<const Float16> b, Matrix c) {
  gemm_of_weights(a, {.stride = b.stride, .f16 = b.data}, b.rows, b.cols, c);
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

void gemm_reference(ConstMatrix a, MatrixView<const BFloat16> b, Matrix c) { reference_of_weights(a, b, c); }
void gemm_reference(ConstMatrix a, MatrixView<const Float16> b, Matrix c) { reference_of_weights(a, b, c); }

}  // namespace witan::kernels
