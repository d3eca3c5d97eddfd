// What the losses have in common that are linear in the probabilities: each row's probabilities, weighted expert by
// expert with numbers that have no gradient, and summed.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tape.h"
#include "base/pool.h"

namespace witan {

// One weight per expert for each sequence of rows.
struct RowWeights {
  PooledVector<float> coefficients;  // [sequences, E]
  PooledVector<std::uint8_t> mask;   // as RouterContext::row_mask
  std::int64_t sequence_length;
  std::int64_t num_experts;

  // Null for a masked row: its probabilities may be anything.
  const float* of(std::int64_t row) const {
    if (!mask.empty() && mask[static_cast<std::size_t>(row)] == 0) return nullptr;
    return coefficients.data() + (row / sequence_length) * num_experts;
  }
};

// sum over layers, rows and experts of weights.of(row)[e] * probabilities[row, e] -> scalar; layers: [T, E] each.
Tensor weighted_probabilities(Tape& tape, std::span<const Tensor> layers, RowWeights weights);

}  // namespace witan
