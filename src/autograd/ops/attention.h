// Causal multi-head attention with grouped keys and values. Never holds a matrix of sequence x sequence.
#pragma once

#include <cstdint>

#include "autograd/tape.h"

namespace witan::ops {

struct AttentionShape {
  std::int64_t batch = 1;
  std::int64_t sequence = 0;  // rows per sequence; T = batch * sequence
  std::int64_t heads = 1;     // query heads
  std::int64_t kv_heads = 1;  // divides heads; query head h reads key head h / (heads / kv_heads)
  std::int64_t head_dim = 0;
  float scale = 0.0F;       // of the scores before the softmax; 0: 1 / sqrt(head_dim)
  std::int64_t window = 0;  // a row sees itself and the window - 1 rows before it; 0: all before it
};

// q [T, heads * head_dim], k and v [T, kv_heads * head_dim] -> [T, heads * head_dim]. Row i of a sequence sees rows
// 0 .. i of the same sequence, within the window. `sinks` [heads], or undefined: one more score per head that takes its
// share of the softmax and gives nothing (gpt-oss). Throws Error when shapes do not fit. Dao et al. 2022 for the
// recomputation backwards.
Tensor attention(Tape& tape, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionShape& shape,
                 const Tensor& sinks = {});

// Without gradient, for decoding and chunked prefill: q [n, heads * head_dim] are the positions total - n .. total - 1
// of ONE sequence whose keys and values [total, kv_heads * head_dim] are given. shape.batch and shape.sequence are not
// read.
Tensor attention_with_cache(const Tensor& q, ConstMatrix keys, ConstMatrix values, const AttentionShape& shape,
                            const Tensor& sinks = {});

}  // namespace witan::ops
