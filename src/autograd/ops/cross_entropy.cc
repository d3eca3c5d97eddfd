// Checks of the fused loss; its backward pass only scales what the forward pass has computed.
#include "autograd/ops/cross_entropy.h"

#include "base/error.h"
#include "kernels/cross_entropy.h"
#include "kernels/elementwise.h"

namespace witan::ops {
namespace {

// The number of counted rows.
std::int64_t check(const Tensor& hidden, const Tensor& weight, std::span<const std::int32_t> targets,
                   std::span<float> row_losses) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  if (weight.shape().rank() != 2 || hidden.shape().rank() < 2 || hidden.cols() != weight.cols() ||
      hidden.rows() != rows) {
    fail("cross_entropy: hidden {}, weight {} and {} targets do not fit: expected [T, D], [V, D] and T",
         hidden.shape().to_string(), weight.shape().to_string(), rows);
  }
  if (!row_losses.empty() && row_losses.size() != targets.size()) {
    fail("cross_entropy: room for {} row losses, {} rows", row_losses.size(), rows);
  }
  std::int64_t counted = 0;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    if (targets[t] == kIgnoreTarget) continue;
    if (targets[t] < 0 || targets[t] >= weight.dim(0)) {
      fail("cross_entropy: target {} at row {} is outside [0, {}) and not {}", targets[t], t, weight.dim(0),
           kIgnoreTarget);
    }
    ++counted;
  }
  if (counted == 0) fail("cross_entropy: none of the {} rows has a target that counts", rows);
  return counted;
}

void send_scaled(const Tensor& stored, float factor, const Gradient& sink_of) {
  if (!sink_of.wanted()) return;
  const auto sink = sink_of.sink();
  kernels::scale(stored.values(), factor, sink_of.values(), sink.accumulate);
}

}  // namespace

Tensor cross_entropy(Tape& tape, const Tensor& hidden, const Tensor& weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses) {
  const std::int64_t counted = check(hidden, weight, targets, row_losses);
  Tensor y = tape.output({}, {&hidden, &weight});
  Tensor dhidden;
  Tensor dweight;
  kernels::CrossEntropyGradients gradients;
  gradients.scale = 1.0F / static_cast<float>(counted);
  if (y.requires_grad() && hidden.requires_grad()) {
    dhidden = Tensor::uninitialized(hidden.shape());
    gradients.hidden = dhidden.matrix();
  }
  if (y.requires_grad() && weight.requires_grad()) {
    dweight = Tensor::uninitialized(weight.shape());
    gradients.weight = dweight.matrix();
  }
  const double total = kernels::cross_entropy(hidden.matrix(), weight.matrix(), targets, row_losses, gradients);
  y.data()[0] = static_cast<float>(total / static_cast<double>(counted));
  tape.record(y, [dy = y.grad(), dhidden, dweight, hidden_gradient = hidden.grad(), weight_gradient = weight.grad()] {
    const float factor = dy.values()[0];
    send_scaled(dhidden, factor, hidden_gradient);
    send_scaled(dweight, factor, weight_gradient);
  });
  return y;
}

}  // namespace witan::ops
