// Softmax cross-entropy fused with the output projection. Only a chunk of rows of logits exists at any time.
#pragma once

#include <cstdint>
#include <span>

#include "base/views.h"

namespace witan::kernels {

struct CrossEntropyGradients {
  Matrix hidden;       // [T * K, D], overwritten; data null: not computed
  Matrix weight;       // [V, D], overwritten; data null: not computed
  float scale = 1.0F;  // of each row's loss in the sum that is differentiated: 1 / counted rows for the mean
};

// Several softmaxes per target (Yang et al. 2018): `hidden` then has T * K rows, the K of a target one after the other.
// By default there is one, which no prior weighs.
struct SoftmaxMixture {
  ConstMatrix prior_logits;  // [T, K], contiguous; their softmax weighs the K softmaxes. Data null: K = 1
  Matrix prior_gradient;     // [T, K], contiguous, overwritten; data null: not computed

  std::int64_t count() const { return prior_logits.data == nullptr ? 1 : prior_logits.cols; }
};

// hidden [T * K, D], weight [V, D], targets [T] in [0, V), or negative: the row is not counted. Returns the sum over
// the counted rows of -log (sum over i of softmax(prior_logits)[i] softmax(hidden[i] weight')[target]), in nats, summed
// in double in the order of the rows. row_losses: empty, or [T] (0 where not counted).
double cross_entropy(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses, const CrossEntropyGradients& gradients,
                     const SoftmaxMixture& mixture = {});

// The same results from plain loops in double, for tests; without a mixture.
double cross_entropy_reference(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                               std::span<float> row_losses, const CrossEntropyGradients& gradients);

}  // namespace witan::kernels
