// Elementwise nonlinearities.
#include "autograd/ops/activation.h"

#include "base/error.h"

namespace witan::ops {

Tensor activation(Tape& tape, const Tensor& x, Activation kind) {
  Tensor y = tape.output(x.shape(), {&x});
  kernels::activation(kind, x.values(), y.values());
  tape.record(y, [x, dy = y.grad(), kind] {
    const auto sink = x.grad().sink();
    kernels::activation_backward(kind, x.values(), dy.values(), x.grad().values(), sink.accumulate);
  });
  return y;
}

Tensor gated_activation(Tape& tape, const Tensor& gate, const Tensor& up, Activation kind) {
  if (gate.shape() != up.shape()) {
    fail("gated_activation: gate {} and up {} differ in shape", gate.shape().to_string(), up.shape().to_string());
  }
  Tensor h = tape.output(gate.shape(), {&gate, &up});
  kernels::gated_activation(kind, gate.values(), up.values(), h.values());
  tape.record(h, [gate, up, dh = h.grad(), kind] {
    const auto target = [](const Gradient& gradient) -> kernels::GradientTarget {
      if (!gradient.wanted()) return {};
      const auto sink = gradient.sink();
      return {sink.data, sink.accumulate};
    };
    const kernels::GradientTarget d_gate = target(gate.grad());
    const kernels::GradientTarget d_up = target(up.grad());
    kernels::gated_activation_backward(kind, gate.values(), up.values(), dh.values(), d_gate, d_up);
  });
  return h;
}

}  // namespace witan::ops
