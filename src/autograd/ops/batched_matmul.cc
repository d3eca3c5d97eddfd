// One product per block, forward and back.
#include "autograd/ops/batched_matmul.h"

#include "autograd/ops/gradient_views.h"
#include "base/error.h"

namespace witan::ops {
namespace {

using kernels::Op;

Matrix block(Matrix all, std::int64_t batch, std::int64_t i) {
  const std::int64_t rows = all.rows / batch;
  return {all.row(i * rows), rows, all.cols, all.stride};
}

}  // namespace

Tensor batched_matmul(Tape& tape, Op op_a, const Tensor& a, const Tensor& b, std::int64_t batch) {
  const bool transposed = op_a == Op::kTransposed;
  if (batch < 1 || a.rows() % batch != 0 || b.rows() % batch != 0 ||
      (transposed ? a.rows() != b.rows() : a.cols() * batch != b.rows())) {
    fail("batched_matmul: a {}{} and b {} do not fit as {} blocks", a.shape().to_string(),
         transposed ? " transposed" : "", b.shape().to_string(), batch);
  }
  Tensor y = tape.output({transposed ? a.cols() * batch : a.rows(), b.cols()}, {&a, &b});
  for (std::int64_t i = 0; i < batch; ++i) {
    kernels::gemm(op_a, Op::kPlain, block(a.matrix(), batch, i), block(b.matrix(), batch, i), 0.0F,
                  block(y.matrix(), batch, i));
  }
  tape.record(y, [a = b.requires_grad() ? a.detached() : Tensor(), b = a.requires_grad() ? b.detached() : Tensor(),
                  dy = y.grad(), da = a.grad(), db = b.grad(), batch, transposed] {
    const kernels::GradientView a_sink = matrix_sink(da);
    for (std::int64_t i = 0; a_sink.wanted() && i < batch; ++i) {
      const ConstMatrix left = block(transposed ? b.matrix() : dy.matrix(), batch, i);
      const ConstMatrix right = block(transposed ? dy.matrix() : b.matrix(), batch, i);
      kernels::gemm(Op::kPlain, Op::kTransposed, left, right, a_sink.accumulate ? 1.0F : 0.0F,
                    block(a_sink.matrix, batch, i));
    }
    const kernels::GradientView b_sink = matrix_sink(db);
    for (std::int64_t i = 0; b_sink.wanted() && i < batch; ++i) {
      kernels::gemm(transposed ? Op::kPlain : Op::kTransposed, Op::kPlain, block(a.matrix(), batch, i),
                    block(dy.matrix(), batch, i), b_sink.accumulate ? 1.0F : 0.0F, block(b_sink.matrix, batch, i));
    }
  });
  return y;
}

}  // namespace witan::ops
