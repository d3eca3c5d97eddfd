// Single-neuron experts.
#include "experts/neurons.h"

#include "autograd/ops/neuron_mixture.h"
#include "base/error.h"

namespace witan {

NeuronExperts::NeuronExperts(const NeuronOptions& options, Random& random) : activation_(options.activation) {
  const std::int64_t experts = options.num_experts;
  const std::int64_t hidden = options.hidden_size;
  if (experts < 1 || hidden < 1) {
    fail("neurons: num_experts={} and hidden_size={} must be at least 1", experts, hidden);
  }
  up_proj_ = Tensor::zeros({experts, 1, hidden});
  down_proj_ = Tensor::zeros({experts, hidden, 1});
  for (Tensor* const bank : {&up_proj_, &down_proj_}) {
    if (options.initializer_range > 0.0F) random.fill_normal(bank->values(), 0.0F, options.initializer_range);
    bank->set_requires_grad(true);
  }
}

Tensor NeuronExperts::forward(Tape& tape, const Tensor& rows, const Retrieval& retrieval) const {
  return ops::neuron_mixture(tape, rows, up_proj_, down_proj_, retrieval.experts, retrieval.weights, activation_);
}

}  // namespace witan
