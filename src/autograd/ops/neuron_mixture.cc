// Checks and gradients of the mixture of neurons.
#include "autograd/ops/neuron_mixture.h"

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "kernels/neuron_mixture.h"

namespace witan::ops {
namespace {

void check(const Tensor& x, const Tensor& up, const Tensor& down, std::span<const std::int32_t> experts,
           const Tensor& weights) {
  const std::int64_t num_experts = up.shape().rank() == 3 ? up.dim(0) : 0;
  if (x.shape().rank() != 2 || up.shape() != Shape{num_experts, 1, x.cols()} ||
      down.shape() != Shape{num_experts, x.cols(), 1} || weights.shape().rank() != 2 || weights.rows() != x.rows() ||
      weights.numel() != static_cast<std::int64_t>(experts.size())) {
    fail(
        "neuron_mixture: x {}, up {}, down {}, weights {} and {} experts do not fit: expected [T, D], [E, 1, D], "
        "[E, D, 1], [T, M] and T * M",
        x.shape().to_string(), up.shape().to_string(), down.shape().to_string(), weights.shape().to_string(),
        experts.size());
  }
  for (const std::int32_t expert : experts) {
    if (expert < -1 || expert >= num_experts) {
      fail("neuron_mixture: expert {} is outside [0, {}) and not -1", expert, num_experts);
    }
  }
}

// A bank [E, 1, D] or [E, D, 1] as the matrix [E, D].
ConstMatrix table(const Tensor& bank) { return {bank.data(), bank.dim(0), bank.numel() / bank.dim(0)}; }

}  // namespace

Tensor neuron_mixture(Tape& tape, const Tensor& x, const Tensor& up, const Tensor& down,
                      const std::shared_ptr<const PooledVector<std::int32_t>>& experts, const Tensor& weights,
                      Activation activation) {
  check(x, up, down, *experts, weights);
  const kernels::NeuronChoice choice{*experts, weights.cols()};
  Tensor y = tape.output(x.shape(), {&x, &up, &down, &weights});
  const Tensor hidden = Tensor::uninitialized(weights.shape());
  kernels::neuron_mixture(x.matrix(), table(up), table(down), choice, weights.matrix(), activation, hidden.matrix(),
                          y.matrix());
  tape.record(y, [x = x.detached(), up = up.detached(), down = down.detached(), weights = weights.detached(), hidden,
                  experts, activation, dy = y.grad(), dx = x.grad(), d_up = up.grad(), d_down = down.grad(),
                  d_weights = weights.grad()] {
    const kernels::NeuronChoice chosen_slots{*experts, weights.cols()};
    const Tensor slopes = Tensor::uninitialized(weights.shape());
    const Tensor outputs = Tensor::uninitialized(weights.shape());
    const kernels::GradientView x_sink = matrix_sink(dx, x.shape());
    kernels::neuron_mixture_backward(dy.matrix(), table(up), table(down), chosen_slots, weights.matrix(),
                                     hidden.matrix(), activation, x_sink, matrix_sink(d_weights, weights.shape()),
                                     {slopes.matrix(), outputs.matrix()});
    if (!d_up.wanted() && !d_down.wanted()) return;
    const kernels::ChosenExperts chosen = kernels::group_by_expert(chosen_slots);
    if (d_up.wanted()) {
      kernels::add_to_table(chosen, weights.cols(), slopes.matrix(), x.matrix(), d_up.add_rows(chosen.experts));
    }
    if (d_down.wanted()) {
      kernels::add_to_table(chosen, weights.cols(), outputs.matrix(), dy.matrix(), d_down.add_rows(chosen.experts));
    }
  });
  return y;
}

}  // namespace witan::ops
