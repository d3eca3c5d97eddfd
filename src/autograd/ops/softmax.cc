// Softmax and log-sum-exp ops.
#include "autograd/ops/softmax.h"

#include "autograd/ops/gradient_views.h"
#include "kernels/softmax.h"

namespace witan::ops {

Tensor softmax(Tape& tape, const Tensor& x) {
  Tensor y = tape.output(x.shape(), {&x});
  kernels::softmax(x.matrix(), y.matrix());
  tape.record(y, [dy = y.grad(), dx = x.grad(), y = y.detached()] {
    const kernels::GradientView sink = matrix_sink(dx, y.shape());
    kernels::softmax_backward(dy.matrix(), y.matrix(), sink.matrix, sink.accumulate);
  });
  return y;
}

Tensor log_sum_exp(Tape& tape, const Tensor& x) {
  Tensor result = tape.output({x.rows()}, {&x});
  kernels::log_sum_exp(x.matrix(), result.data());
  tape.record(result, [dresult = result.grad(), dx = x.grad(), x = x.detached(), result = result.detached()] {
    const kernels::GradientView sink = matrix_sink(dx, x.shape());
    kernels::log_sum_exp_backward(dresult.values().data(), x.matrix(), result.data(), sink.matrix, sink.accumulate);
  });
  return result;
}

}  // namespace witan::ops
