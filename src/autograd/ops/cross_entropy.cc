// Checks of the fused loss; its backward pass only scales what the forward pass has computed.
#include "autograd/ops/cross_entropy.h"

#include "base/error.h"
#include "kernels/cross_entropy.h"
#include "kernels/elementwise.h"

namespace witan::ops {
namespace {

// The number of counted rows.
std::int64_t check_targets(const Tensor& weight, std::span<const std::int32_t> targets, std::span<float> row_losses) {
  const auto rows = static_cast<std::int64_t>(targets.size());
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

std::int64_t check(const Tensor& hidden, const Tensor& weight, std::span<const std::int32_t> targets,
                   std::span<float> row_losses) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  if (weight.shape().rank() != 2 || hidden.shape().rank() < 2 || hidden.cols() != weight.cols() ||
      hidden.rows() != rows) {
    fail("cross_entropy: hidden {}, weight {} and {} targets do not fit: expected [T, D], [V, D] and T",
         hidden.shape().to_string(), weight.shape().to_string(), rows);
  }
  return check_targets(weight, targets, row_losses);
}

// The gradient of an input, computed in the forward pass for a loss whose own gradient is 1.
class Prepared {
 public:
  // Takes memory when `loss` will send a gradient to `input`.
  Prepared(const Tensor& loss, const Tensor& input) : gradient_(input.grad()) {
    if (loss.requires_grad() && input.requires_grad()) stored_ = Tensor::uninitialized(input.shape());
  }
  Matrix matrix() const { return stored_.defined() ? stored_.matrix() : Matrix(); }
  Matrix matrix(std::int64_t rows, std::int64_t cols) const {
    return stored_.defined() ? Matrix(stored_.data(), rows, cols) : Matrix();
  }
  void send(float factor) const {
    if (!gradient_.wanted()) return;
    const auto sink = gradient_.sink();
    kernels::scale(stored_.values(), factor, gradient_.values(), sink.accumulate);
  }

 private:
  Gradient gradient_;
  Tensor stored_;
};

}  // namespace

Tensor cross_entropy(Tape& tape, const Tensor& hidden, const Tensor& weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses) {
  const std::int64_t counted = check(hidden, weight, targets, row_losses);
  Tensor y = tape.output({}, {&hidden, &weight});
  const Prepared d_hidden(y, hidden);
  const Prepared d_weight(y, weight);
  const float scale = 1.0F / static_cast<float>(counted);
  const double total = kernels::cross_entropy(hidden.matrix(), weight.matrix(), targets, row_losses,
                                              {d_hidden.matrix(), d_weight.matrix(), scale});
  y.data()[0] = static_cast<float>(total / static_cast<double>(counted));
  tape.record(y, [dy = y.grad(), d_hidden, d_weight] {
    const float factor = dy.values()[0];
    d_hidden.send(factor);
    d_weight.send(factor);
  });
  return y;
}

Tensor mixture_cross_entropy(Tape& tape, const Tensor& latents, const Tensor& prior_logits, const Tensor& weight,
                             std::span<const std::int32_t> targets, std::span<float> row_losses) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  if (prior_logits.shape().rank() != 2 || prior_logits.rows() != rows || prior_logits.cols() < 1 ||
      weight.shape().rank() != 2 || latents.numel() != prior_logits.numel() * weight.cols()) {
    fail(
        "cross_entropy: latents {}, prior_logits {}, weight {} and {} targets do not fit: expected [T, K * D], "
        "[T, K], [V, D] and T",
        latents.shape().to_string(), prior_logits.shape().to_string(), weight.shape().to_string(), rows);
  }
  const std::int64_t width = weight.cols();
  const std::int64_t latent_rows = prior_logits.numel();
  const std::int64_t counted = check_targets(weight, targets, row_losses);
  Tensor y = tape.output({}, {&latents, &prior_logits, &weight});
  const Prepared d_latents(y, latents);
  const Prepared d_priors(y, prior_logits);
  const Prepared d_weight(y, weight);
  const float scale = 1.0F / static_cast<float>(counted);
  const double total = kernels::cross_entropy(
      {latents.data(), latent_rows, width}, weight.matrix(), targets, row_losses,
      {d_latents.matrix(latent_rows, width), d_weight.matrix(), scale}, {prior_logits.matrix(), d_priors.matrix()});
  y.data()[0] = static_cast<float>(total / static_cast<double>(counted));
  tape.record(y, [dy = y.grad(), d_latents, d_priors, d_weight] {
    const float factor = dy.values()[0];
    d_latents.send(factor);
    d_priors.send(factor);
    d_weight.send(factor);
  });
  return y;
}

}  // namespace witan::ops
