// What the attention layers of a decoder have in common: rows in, rows out, keys and values in a cache.
#pragma once

#include <cstdint>
#include <memory>
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
  float clip_qkv = 0.0F;                // queries, keys and values limited to +- this, after the norm; 0: off
  bool bias = false;                    // of queries, keys and values; with latents of what they are made of
  bool output_bias = false;             // of the output projection
  bool sinks = false;                   // a score per head that joins the softmax and has no value
  float scale = 0.0F;                   // of the scores; 0: 1 / sqrt(head_dim)
  std::int64_t window = 0;              // positions that a row sees, its own included; 0: all before it
  Precision weights = Precision::kF32;  // of the projections; others are for inference
  // Multi-head latent attention instead, when kv_lora_rank > 0: see latent_attention.h. head_dim is then
  // latent_head_dim() of the three widths, and scale is set.
  std::int64_t kv_lora_rank = 0;
  std::int64_t q_lora_rank = 0;  // 0: queries are projected directly
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t v_head_dim = 0;
  bool rope_interleave = true;  // RoPE turns elements 2 i and 2 i + 1 together, else i and i + half
};

// How the rows of a pass are arranged.
struct SequenceLayout {
  std::int64_t batch = 1;
  std::int64_t sequence = 0;                // rows per sequence
  std::span<const std::int32_t> positions;  // of each row in `rope`: [batch * sequence]
  const ops::RopeTable& rope;               // must outlive the tape
  KvCache* cache = nullptr;                 // then batch is 1, the tape is off, and the rows continue the cache
};

class Attention {
 public:
  Attention() = default;
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;
  virtual ~Attention() = default;

  // rows [T, D] -> [T, D]. `layer` is the index in the cache. Stores keys and values there and does not advance it.
  virtual Tensor forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const = 0;
  virtual std::vector<Parameter> parameters() const = 0;
};

// With norm weights 1 and everything else 0: the owner fills them.
std::unique_ptr<Attention> make_attention(const AttentionOptions& options);

// The heads' mixtures of values [T, heads * head_dim] from queries, keys and values that are ready: with a cache the
// new keys and values are stored there first.
Tensor attend(Tape& tape, const AttentionOptions& options, const Tensor& q, const Tensor& k, const Tensor& v,
              const Tensor& sinks, const SequenceLayout& layout, std::int64_t layer);

}  // namespace witan
