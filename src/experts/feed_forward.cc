// Feed-forward experts.
#include "experts/feed_forward.h"

#include "autograd/ops/activation.h"
#include "autograd/ops/clamped_swiglu.h"
#include "autograd/ops/expert_feed_forward.h"
#include "autograd/ops/grouped_linear.h"
#include "autograd/ops/linear.h"
#include "base/error.h"

namespace witan {
namespace {

// Without a deviation nothing is drawn: such a bank is filled by its owner, and drawing takes longer than loading.
Tensor drawn(Shape shape, float standard_deviation, Random& random, Precision precision = Precision::kF32) {
  Tensor weight = Tensor::zeros(shape, precision);
  if (precision != Precision::kF32) return weight;
  if (standard_deviation > 0.0F) random.fill_normal(weight.values(), 0.0F, standard_deviation);
  weight.set_requires_grad(true);
  return weight;
}

}  // namespace

FeedForwardExperts::FeedForwardExperts(const FeedForwardOptions& options, Random& random) : options_(options) {
  const std::int64_t experts = options.num_experts;
  const std::int64_t hidden = options.hidden_size;
  const std::int64_t width = options.intermediate_size;
  if (experts < 1 || hidden < 1 || width < 1) {
    fail("feed_forward: num_experts={}, hidden_size={} and intermediate_size={} must be at least 1", experts, hidden,
         width);
  }
  const auto matrix = [&](std::int64_t out, std::int64_t in) {
    return drawn({experts, out, in}, options.initializer_range, random, options.weights);
  };
  if (options.gated) gate_proj_ = matrix(width, hidden);
  up_proj_ = matrix(width, hidden);
  down_proj_ = matrix(hidden, width);
  if (!options.bias) return;
  if (options.gated) gate_bias_ = drawn({experts, width}, 0.0F, random);
  up_bias_ = drawn({experts, width}, 0.0F, random);
  down_bias_ = drawn({experts, hidden}, 0.0F, random);
}

template <class Project>
Tensor FeedForwardExperts::composed(Tape& tape, const Tensor& rows, const Project& project) const {
  const Tensor up = project(rows, up_proj_, up_bias_, true);
  if (!options_.gated) return project(ops::activation(tape, up, options_.activation), down_proj_, down_bias_, false);
  const Tensor gate = project(rows, gate_proj_, gate_bias_, true);
  const Tensor hidden = options_.swiglu_limit > 0.0F ? ops::clamped_swiglu(tape, gate, up, options_.swiglu_limit)
                                                     : ops::gated_activation(tape, gate, up, options_.activation);
  return project(hidden, down_proj_, down_bias_, false);
}

Tensor FeedForwardExperts::forward(Tape& tape, const Tensor& rows, const Assignment& assignment) const {
  if (fused()) {
    return ops::expert_feed_forward(tape, rows, assignment, {gate_proj_, up_proj_, down_proj_}, options_.activation);
  }
  return composed(tape, rows, [&](const Tensor& x, const Tensor& weight, const Tensor& bias, bool gather) {
    return ops::grouped_linear(tape, x, assignment, gather, weight, bias);
  });
}

Tensor FeedForwardExperts::forward_dense(Tape& tape, const Tensor& rows) const {
  if (options_.num_experts != 1) fail("feed_forward: a dense pass wants 1 expert, not {}", options_.num_experts);
  if (fused()) return ops::dense_feed_forward(tape, rows, {gate_proj_, up_proj_, down_proj_}, options_.activation);
  return composed(tape, rows, [&](const Tensor& x, const Tensor& weight, const Tensor& bias, bool /*gather*/) {
    return ops::linear(tape, x, weight.reshaped({weight.dim(1), weight.dim(2)}),
                       bias.defined() ? bias.reshaped({bias.dim(1)}) : Tensor());
  });
}

std::vector<Parameter> FeedForwardExperts::parameters() const {
  std::vector<Parameter> result;
  if (options_.gated) result.push_back({"gate_proj", gate_proj_});
  result.push_back({"up_proj", up_proj_});
  result.push_back({"down_proj", down_proj_});
  if (!options_.bias) return result;
  if (options_.gated) result.push_back({"gate_proj_bias", gate_bias_, false});
  result.push_back({"up_proj_bias", up_bias_, false});
  result.push_back({"down_proj_bias", down_bias_, false});
  return result;
}

}  // namespace witan
