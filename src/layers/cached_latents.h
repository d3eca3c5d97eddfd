// Attention of rows that continue a cache of latents (DeepSeek-AI 2024, DeepSeek-V2, section 2.1): a position is its
// latent and the turned part of the key, of which each head's key and value are linear maps. Not the projections around
// it, and without gradient: rows without a cache are latent_attention.h's.
#pragma once

#include <cstdint>

#include "autograd/tensor.h"

namespace witan {

struct LatentHeads {
  std::int64_t heads = 1;
  std::int64_t rotary = 0;  // elements of a query and of a key that RoPE has turned
  std::int64_t plain = 0;   // the others
  std::int64_t values = 1;  // elements of a value
  std::int64_t latent = 1;
  std::int64_t width = 1;   // that a query stands in: at least rotary + plain and values
  float scale = 1.0F;       // of the scores before the softmax
  std::int64_t window = 0;  // a row sees its own position and the window - 1 before it; 0: all before it
};

// queries [n, heads * width], of each head the turned elements, then the plain ones, then zeros; of the last n of
// `entries` [total, latent + rotary]. `projection` [heads * (plain + values), latent], in any precision, gives the
// plain part of the key and the value of each head. -> [n, heads * values].
//
// Two ways to the same rows but for rounding; attend_to_latents takes the one with fewer multiplications, by the sizes
// alone. Neither takes memory for all heads at all positions.
Tensor attend_to_latents(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries,
                         const Tensor& projection);
// The queries absorb the map to keys, and the values are mapped after they are mixed (the end of section 2.1.2): every
// entry is one key and value for all heads. For few rows.
Tensor attend_absorbed(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries, const Tensor& projection);
// Keys and values of all entries are made again, some heads at a time. For many rows.
Tensor attend_expanded(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries, const Tensor& projection);

}  // namespace witan
