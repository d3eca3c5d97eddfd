// Multi-head latent attention (MLA): keys and values of all heads are made from one short vector per row, and RoPE
// turns a part of each head only, whose key all heads share. DeepSeek-AI 2024 (DeepSeek-V2, section 2.1). The cache
// keeps that vector and that key alone: see cached_latents.h.
#pragma once

#include "autograd/ops/columns.h"
#include "layers/attention.h"

namespace witan {

class LatentAttention final : public Attention {
 public:
  // Norm weights are 1, everything else 0. options.head_dim must be latent_head_dim(), and options.scale set.
  explicit LatentAttention(const AttentionOptions& options);

  Tensor forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const override;
  // "q_proj.weight" [heads * (nope + rope), D], or "q_a_proj.weight" [q_lora_rank, D], "q_a_layernorm.weight" and
  // "q_b_proj.weight"; "kv_a_proj_with_mqa.weight" [kv_lora_rank + rope, D], "kv_a_layernorm.weight",
  // "kv_b_proj.weight" [heads * (nope + v), kv_lora_rank], "o_proj.weight" [D, heads * v]; biases of the projections
  // that read or write the residual stream, where there are any.
  std::vector<Parameter> parameters() const override;

 private:
  using Map = std::shared_ptr<const ops::ColumnMap>;
  void make_maps();
  Tensor queries(Tape& tape, const Tensor& rows) const;
  // What attention gives [T, heads * v], without and with a cache. shared_key [T, head_dim]: turned.
  Tensor attend_rows(Tape& tape, const Tensor& q, const Tensor& latent, const Tensor& shared_key,
                     const SequenceLayout& layout, std::int64_t layer) const;
  Tensor attend_cache(const Tensor& q, const Tensor& latent, const Tensor& shared_key, KvCache& cache,
                      std::int64_t layer) const;

  AttentionOptions options_;
  Tensor q_weight_;  // of rows, or of their latent
  Tensor q_a_weight_, q_a_bias_, q_a_norm_;
  Tensor kv_a_weight_, kv_a_bias_, kv_a_norm_, kv_b_weight_;
  Tensor o_weight_, o_bias_;
  // Heads are laid out in one width for queries, keys and values, with the pairs that RoPE turns where RoPE's
  // half-split layout wants them; the shared key stands as in one such head.
  Map query_map_, latent_map_, shared_key_map_, key_map_, spread_key_map_, value_map_, output_map_;
  // Queries as cached_latents.h wants them, and the two parts of an entry of the cache.
  Map packed_query_map_, entry_latent_map_, entry_key_map_;
};

// The common width of queries, keys and values of a head: the larger one, made even.
std::int64_t latent_head_dim(std::int64_t qk_nope_head_dim, std::int64_t qk_rope_head_dim, std::int64_t v_head_dim);

}  // namespace witan
