// The loss of the output projection from its definition: a row of probabilities at a time, in double. For tests, not
// for speed.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cross_entropy.h"

namespace witan::kernels {
namespace {

void store(const std::vector<double>& sums, Matrix out) {
  for (std::int64_t r = 0; out.data != nullptr && r < out.rows; ++r) {
    for (std::int64_t c = 0; c < out.cols; ++c) {
      out(r, c) = static_cast<float>(sums[static_cast<std::size_t>(r * out.cols + c)]);
    }
  }
}

}  // namespace

double cross_entropy_reference(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                               std::span<float> row_losses, const CrossEntropyGradients& gradients) {
  const std::int64_t width = hidden.cols;
  std::vector<double> dhidden(static_cast<std::size_t>(hidden.rows * width), 0.0);
  std::vector<double> dweight(static_cast<std::size_t>(weight.rows * width), 0.0);
  std::vector<double> logits(static_cast<std::size_t>(weight.rows));
  double total = 0.0;
  for (std::int64_t t = 0; t < hidden.rows; ++t) {
    const std::int32_t target = targets[static_cast<std::size_t>(t)];
    double loss = 0.0;
    if (target >= 0) {
      for (std::int64_t v = 0; v < weight.rows; ++v) {
        double& logit = logits[static_cast<std::size_t>(v)] = 0.0;
        for (std::int64_t d = 0; d < width; ++d) {
          logit += static_cast<double>(hidden(t, d)) * static_cast<double>(weight(v, d));
        }
      }
      const double largest = *std::max_element(logits.begin(), logits.end());
      double sum = 0.0;
      for (const double logit : logits) sum += std::exp(logit - largest);
      const double log_sum = largest + std::log(sum);
      loss = log_sum - logits[static_cast<std::size_t>(target)];
      for (std::int64_t v = 0; v < weight.rows; ++v) {
        const double probability = std::exp(logits[static_cast<std::size_t>(v)] - log_sum);
        const double slope = static_cast<double>(gradients.scale) * (probability - (v == target ? 1.0 : 0.0));
        for (std::int64_t d = 0; d < width; ++d) {
          dhidden[static_cast<std::size_t>(t * width + d)] += slope * static_cast<double>(weight(v, d));
          dweight[static_cast<std::size_t>(v * width + d)] += slope * static_cast<double>(hidden(t, d));
        }
      }
    }
    total += loss;
    if (!row_losses.empty()) row_losses[static_cast<std::size_t>(t)] = static_cast<float>(loss);
  }
  store(dhidden, gradients.hidden);
  store(dweight, gradients.weight);
  return total;
}

}  // namespace witan::kernels
