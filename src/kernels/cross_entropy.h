// Softmax cross-entropy fused with the output projection. Only a chunk of rows of logits exists at any time.
#pragma once

#include <cstdint>
#include <span>

#include "base/views.h"

namespace witan::kernels {

struct CrossEntropyGradients {
  Matrix hidden;       // [T, D], overwritten; data null: not computed
  Matrix weight;       // [V, D], overwritten; data null: not computed
  float scale = 1.0F;  // of each row's loss in the sum that is differentiated: 1 / counted rows for the mean
};

// hidden [T, D], weight [V, D], targets [T] in [0, V), or negative: the row is not counted. Returns the sum over the
// counted rows of -log softmax(hidden weight')[target], in nats, summed in double in the order of the rows.
// row_losses: empty, or [T] (0 where not counted).
double cross_entropy(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses, const CrossEntropyGradients& gradients);

// The same results from plain loops in double, for tests.
double cross_entropy_reference(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                               std::span<float> row_losses, const CrossEntropyGradients& gradients);

}  // namespace witan::kernels
