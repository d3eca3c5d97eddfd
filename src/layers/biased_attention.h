// Attention with a bias per distance of positions, or onto another sequence: what the fused kernel of decoders does not
// know. Head after head from matrix products; no gradient.
#pragma once

#include <cstdint>

#include "autograd/tensor.h"
#include "base/views.h"

namespace witan {

struct BiasedAttention {
  std::int64_t heads = 1;
  float scale = 1.0F;                                // of the scores
  bool causal = false;                               // a query sees keys up to its own position alone
  std::int64_t first_position = 0;                   // of the first query among the keys, when causal
  std::int64_t most_scores = std::int64_t{1} << 23;  // held at a time: 32 MB
};

// q [Q, heads * d], keys and values [K, heads * d], bias [heads, Q + K - 1] as relative_bias() gives it or undefined ->
// [Q, heads * d]: per head softmax(scale q k' + bias) v. K >= 1. Some queries at a time: memory grows with Q + K, not
// with their product.
Tensor attend_with_bias(const BiasedAttention& options, const Tensor& q, ConstMatrix keys, ConstMatrix values,
                        const Tensor& bias);

}  // namespace witan
