// Normalisation ops: shape checks, then the kernels.
#include "autograd/ops/norm.h"

#include <cmath>

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "kernels/norm.h"

namespace witan::ops {
namespace {

void check_epsilon(const char* where, float epsilon) {
  if (!(epsilon > 0.0F)) fail("{}: epsilon={} must be above 0", where, epsilon);
}

}  // namespace

Tensor rms_norm(Tape& tape, const Tensor& x, const Tensor& weight, float epsilon) {
  if (weight.shape().rank() != 1 || weight.numel() == 0 || x.cols() % weight.numel() != 0) {
    fail("rms_norm: x={} does not fit weight={}; expected x [.., n * W] and weight [W]", x.shape().to_string(),
         weight.shape().to_string());
  }
  check_epsilon("rms_norm", epsilon);
  const std::int64_t width = weight.numel();
  Tensor y = tape.output(x.shape(), {&x, &weight});
  const Tensor inverse = y.requires_grad() ? Tensor::uninitialized({x.rows(), x.cols() / width}) : Tensor();
  kernels::rms_norm(x.matrix(), weight.data(), width, epsilon, y.matrix(), inverse.data());
  tape.record(y, [dy = y.grad(), dx = x.grad(), dweight = weight.grad(), x = x.detached(), weight = weight.detached(),
                  inverse, width] {
    // In this order: they may be the same memory.
    const kernels::GradientView dx_sink = matrix_sink(dx, x.shape());
    const kernels::GradientRow dweight_sink = row_sink(dweight);
    kernels::rms_norm_backward(dy.matrix(), x.matrix(), weight.data(), width, inverse.data(), dx_sink, dweight_sink);
  });
  return y;
}

Tensor layer_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon) {
  const auto fits = [&](const Tensor& parameter) {
    return parameter.shape().rank() == 1 && parameter.numel() > 0 && parameter.numel() == x.cols();
  };
  if (!fits(weight) || (bias.defined() && !fits(bias))) {
    fail("layer_norm: x={} does not fit weight={} and bias={}; expected x [.., W] and both [W]", x.shape().to_string(),
         weight.shape().to_string(), bias.defined() ? bias.shape().to_string() : "none");
  }
  check_epsilon("layer_norm", epsilon);
  Tensor y = tape.output(x.shape(), {&x, &weight, &bias});
  const Tensor mean = y.requires_grad() ? Tensor::uninitialized({x.rows()}) : Tensor();
  const Tensor inverse = y.requires_grad() ? Tensor::uninitialized({x.rows()}) : Tensor();
  kernels::layer_norm(x.matrix(), weight.data(), bias.data(), epsilon, y.matrix(), mean.data(), inverse.data());
  tape.record(y, [dy = y.grad(), dx = x.grad(), dweight = weight.grad(), dbias = bias.grad(), x = x.detached(),
                  weight = weight.detached(), mean, inverse] {
    const kernels::GradientView dx_sink = matrix_sink(dx, x.shape());
    const kernels::GradientRow dweight_sink = row_sink(dweight);
    const kernels::GradientRow dbias_sink = row_sink(dbias);
    kernels::layer_norm_backward(dy.matrix(), x.matrix(), weight.data(), mean.data(), inverse.data(), dx_sink,
                                 dweight_sink, dbias_sink);
  });
  return y;
}

Tensor unit_norm(Tape& tape, const Tensor& x) {
  constexpr float kEpsilon = 1e-12F;  // far below the square of any element that matters: the length is 1 to rounding
  const float inverse_root = 1.0F / std::sqrt(static_cast<float>(x.cols()));
  return rms_norm(tape, x, Tensor::full({x.cols()}, inverse_root), kEpsilon);
}

}  // namespace witan::ops
