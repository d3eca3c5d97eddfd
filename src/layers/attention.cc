// The choice of the layer, and the step that all kinds share.
#include "layers/attention.h"

#include "autograd/ops/attention.h"
#include "base/error.h"
#include "layers/latent_attention.h"
#include "layers/self_attention.h"

namespace witan {

std::unique_ptr<Attention> make_attention(const AttentionOptions& options) {
  if (options.kv_lora_rank > 0) return std::make_unique<LatentAttention>(options);
  return std::make_unique<SelfAttention>(options);
}

Tensor attend(Tape& tape, const AttentionOptions& options, const Tensor& q, const Tensor& k, const Tensor& v,
              const Tensor& sinks, const SequenceLayout& layout, std::int64_t layer) {
  const ops::AttentionShape shape{layout.batch,     layout.sequence, options.heads, options.kv_heads,
                                  options.head_dim, options.scale,   options.window};
  if (layout.cache == nullptr) return ops::attention(tape, q, k, v, shape, sinks);
  WITAN_ASSERT(!tape.recording());
  KvCache& cache = *layout.cache;
  cache.store(layer, k, v);
  const std::int64_t total = cache.length() + q.rows();
  return ops::attention_with_cache(q, cache.keys(layer, total), cache.values(layer, total), shape, sinks);
}

}  // namespace witan
