// The backward pass.
#include "autograd/tape.h"

#include <algorithm>

#include "base/error.h"

namespace witan {

Tensor Tape::output(Shape shape, std::initializer_list<const Tensor*> inputs) const {
  Tensor result = Tensor::uninitialized(shape);
  const auto wants = [](const Tensor* input) { return input->requires_grad(); };
  result.set_requires_grad(recording() && std::any_of(inputs.begin(), inputs.end(), wants));
  return result;
}

Tensor Tape::output(Shape shape, std::span<const Tensor> inputs) const {
  Tensor result = Tensor::uninitialized(shape);
  const auto wants = [](const Tensor& input) { return input.requires_grad(); };
  result.set_requires_grad(recording() && std::any_of(inputs.begin(), inputs.end(), wants));
  return result;
}

void Tape::backward(const Tensor& loss) {
  WITAN_ASSERT(loss.numel() == 1);
  backward(loss, Tensor::full(loss.shape(), 1.0F));
}

void Tape::backward(const Tensor& output, const Tensor& gradient) {
  WITAN_ASSERT(recording() && output.requires_grad());
  WITAN_ASSERT(output.numel() == gradient.numel());
  const std::span<float> start = output.grad().accumulator();
  const std::span<const float> given = gradient.values();
  for (std::size_t i = 0; i < start.size(); ++i) start[i] += given[i];
  while (!nodes_.empty()) {
    const std::unique_ptr<Node> node = std::move(nodes_.back());
    nodes_.pop_back();
    if (!node->output.present()) continue;
    node->run();
    node->output.clear();
  }
  kept_.clear();
}

}  // namespace witan
