// Feed-forward experts.
#include "experts/feed_forward.h"

#include "autograd/ops/expert_feed_forward.h"
#include "base/error.h"

namespace witan {
namespace {

// Without a deviation nothing is drawn: such a bank is filled by its owner, and drawing takes longer than loading.
Tensor drawn(Shape shape, float standard_deviation, Random& random) {
  Tensor weight = Tensor::zeros(shape);
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
  if (options.gated) gate_proj_ = drawn({experts, width, hidden}, options.initializer_range, random);
  up_proj_ = drawn({experts, width, hidden}, options.initializer_range, random);
  down_proj_ = drawn({experts, hidden, width}, options.initializer_range, random);
}

Tensor FeedForwardExperts::forward(Tape& tape, const Tensor& rows, const Assignment& assignment) const {
  return ops::expert_feed_forward(tape, rows, assignment, {gate_proj_, up_proj_, down_proj_}, options_.activation);
}

Tensor FeedForwardExperts::forward_dense(Tape& tape, const Tensor& rows) const {
  if (options_.num_experts != 1) fail("feed_forward: a dense pass wants 1 expert, not {}", options_.num_experts);
  return ops::dense_feed_forward(tape, rows, {gate_proj_, up_proj_, down_proj_}, options_.activation);
}

std::vector<Parameter> FeedForwardExperts::parameters() const {
  std::vector<Parameter> result;
  if (options_.gated) result.push_back({"gate_proj", gate_proj_});
  result.push_back({"up_proj", up_proj_});
  result.push_back({"down_proj", down_proj_});
  return result;
}

}  // namespace witan
