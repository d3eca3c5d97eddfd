// Self-attention from ops.
#include "layers/self_attention.h"

#include "autograd/ops/attention.h"
#include "autograd/ops/clamp.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "base/error.h"
#include "layers/parameters.h"

namespace witan {
SelfAttention::SelfAttention(const AttentionOptions& options, const ops::RopeTable& rope)
    : options_(options), rope_(rope) {
  const std::int64_t q_width = options.heads * options.head_dim;
  const std::int64_t kv_width = options.kv_heads * options.head_dim;
  q_proj_ = trained_tensor({q_width, options.hidden_size}, 0.0F);
  k_proj_ = trained_tensor({kv_width, options.hidden_size}, 0.0F);
  v_proj_ = trained_tensor({kv_width, options.hidden_size}, 0.0F);
  o_proj_ = trained_tensor({options.hidden_size, q_width}, 0.0F);
  if (options.qk_norm == "none") return;
  const bool per_head = options.qk_norm == "head";
  q_norm_ = trained_tensor({per_head ? options.head_dim : q_width}, 1.0F);
  k_norm_ = trained_tensor({per_head ? options.head_dim : kv_width}, 1.0F);
}

Tensor SelfAttention::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const {
  const Tensor q = ops::rope(tape, prepared(tape, rows, q_proj_, q_norm_), rope_, layout.positions);
  const Tensor k = ops::rope(tape, prepared(tape, rows, k_proj_, k_norm_), rope_, layout.positions);
  const Tensor v = prepared(tape, rows, v_proj_, {});
  const ops::AttentionShape shape{layout.batch,      layout.sequence,   options_.heads,
                                  options_.kv_heads, options_.head_dim, 0.0F};
  if (layout.cache == nullptr) return ops::linear(tape, ops::attention(tape, q, k, v, shape), o_proj_);
  WITAN_ASSERT(!tape.recording());
  KvCache& cache = *layout.cache;
  cache.store(layer, k, v);
  const std::int64_t total = cache.length() + rows.rows();
  const Tensor mixed = ops::attention_with_cache(q, cache.keys(layer, total), cache.values(layer, total), shape);
  return ops::linear(tape, mixed, o_proj_);
}

Tensor SelfAttention::prepared(Tape& tape, const Tensor& rows, const Tensor& projection, const Tensor& norm) const {
  Tensor projected = ops::linear(tape, rows, projection);
  if (norm.defined()) projected = ops::rms_norm(tape, projected, norm, options_.norm_epsilon);
  if (options_.clip_qkv > 0.0F) projected = ops::clamp(tape, projected, options_.clip_qkv);
  return projected;
}

std::vector<Parameter> SelfAttention::parameters() const {
  std::vector<Parameter> result = {
      {"q_proj.weight", q_proj_}, {"k_proj.weight", k_proj_}, {"v_proj.weight", v_proj_}, {"o_proj.weight", o_proj_}};
  if (q_norm_.defined()) {
    result.push_back({"q_norm.weight", q_norm_, false});
    result.push_back({"k_norm.weight", k_norm_, false});
  }
  return result;
}

}  // namespace witan
