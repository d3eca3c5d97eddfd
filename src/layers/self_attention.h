// Causal self-attention of one transformer block: projections, optional normalisation of queries and keys, rotary
// positions, attention, output projection. With a cache it continues one sequence.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/ops/rope.h"
#include "autograd/tape.h"
#include "layers/kv_cache.h"
#include "witan/parameter.h"

namespace witan {

struct AttentionOptions {
  std::int64_t hidden_size = 0;
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t head_dim = 0;
  std::string qk_norm = "none";  // none | head (RMSNorm of each head) | full (of the whole projection)
  float norm_epsilon = 1e-5F;
  float clip_qkv = 0.0F;  // queries, keys and values limited to +- this, after the norm; 0: off
};

// How the rows of a pass are arranged.
struct SequenceLayout {
  std::int64_t batch = 1;
  std::int64_t sequence = 0;                // rows per sequence
  std::span<const std::int32_t> positions;  // of each row in its sequence: [batch * sequence]
  KvCache* cache = nullptr;                 // then batch is 1, the tape is off, and the rows continue the cache
};

class SelfAttention {
 public:
  // Norm weights are 1, projections 0: the owner fills them. `rope` must outlive this and every tape.
  SelfAttention(const AttentionOptions& options, const ops::RopeTable& rope);

  // rows [T, D] -> [T, D]. `layer` is the index in the cache. Stores keys and values there and does not advance it.
  Tensor forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const;
  // "q_proj.weight" [heads * head_dim, D], "k_proj.weight", "v_proj.weight", "o_proj.weight" [D, heads * head_dim], and
  // with QK-norm "q_norm.weight", "k_norm.weight" ([head_dim] or the projection's width).
  std::vector<Parameter> parameters() const;

 private:
  Tensor prepared(Tape& tape, const Tensor& rows, const Tensor& projection, const Tensor& norm) const;

  AttentionOptions options_;
  const ops::RopeTable& rope_;
  Tensor q_proj_, k_proj_, v_proj_, o_proj_;
  Tensor q_norm_, k_norm_;  // undefined without QK-norm
};

}  // namespace witan
