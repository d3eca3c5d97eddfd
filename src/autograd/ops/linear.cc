// Linear map: two products back.
#include "autograd/ops/linear.h"

#include "base/error.h"
#include "kernels/bias.h"
#include "kernels/gemm.h"

namespace witan::ops {
namespace {

Shape with_last(const Shape& shape, std::int64_t last) {
  switch (shape.rank()) {
    case 1:
      return {last};
    case 2:
      return {shape[0], last};
    case 3:
      return {shape[0], shape[1], last};
    default:
      return {shape[0], shape[1], shape[2], last};
  }
}

}  // namespace

Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (x.shape().rank() == 0 || weight.shape().rank() != 2 || weight.dim(1) != x.cols()) {
    fail("linear: x {} and weight {} do not fit, expected x [.., in] and weight [out, in]", x.shape().to_string(),
         weight.shape().to_string());
  }
  if (bias.defined() && bias.shape() != Shape{weight.dim(0)}) {
    fail("linear: bias {} does not fit weight {}, expected [out]", bias.shape().to_string(),
         weight.shape().to_string());
  }
  using kernels::Op;
  Tensor y = tape.output(with_last(x.shape(), weight.dim(0)), {&x, &weight, &bias});
  weight.visit_matrix([&](const auto& values) { kernels::gemm(x.matrix(), values, y.matrix()); });
  if (bias.defined()) kernels::add_row(bias.values(), y.matrix());
  tape.record(y, [x = weight.requires_grad() ? x : Tensor(), weight = x.requires_grad() ? weight : Tensor(),
                  dx = x.grad(), d_weight = weight.grad(), d_bias = bias.grad(), dy = y.grad()] {
    const Matrix upstream = dy.matrix();
    if (dx.wanted()) {
      const auto sink = dx.sink();
      kernels::gemm(Op::kPlain, Op::kPlain, upstream, weight.matrix(), sink.beta(),
                    {sink.data, upstream.rows, weight.dim(1)});
    }
    if (d_weight.wanted()) {
      const auto sink = d_weight.sink();
      kernels::gemm(Op::kTransposed, Op::kPlain, upstream, x.matrix(), sink.beta(),
                    {sink.data, upstream.cols, x.cols()});
    }
    if (d_bias.wanted()) {
      const auto sink = d_bias.sink();
      kernels::sum_rows(upstream, {sink.data, static_cast<std::size_t>(upstream.cols)}, sink.accumulate);
    }
  });
  return y;
}

}  // namespace witan::ops
