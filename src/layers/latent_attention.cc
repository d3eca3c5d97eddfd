// MLA from ops.
#include "layers/latent_attention.h"

#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "base/error.h"
#include "layers/cached_latents.h"
#include "layers/parameters.h"

namespace witan {
namespace {

constexpr float kLatentEpsilon = 1e-6F;  // of the norms of latents, whatever rms_norm_eps says: as released

// Where the columns of a matrix come from; those that nobody named are zeros.
class MapBuilder {
 public:
  explicit MapBuilder(std::int64_t columns) : map_(static_cast<std::size_t>(columns), ops::kNoColumn) {}
  // Columns to(i) copy the columns from(i), for i < count.
  template <class To, class From>
  void add(std::int64_t count, const To& to, const From& from) {
    for (std::int64_t i = 0; i < count; ++i) {
      map_[static_cast<std::size_t>(to(i))] = static_cast<std::int32_t>(from(i));
    }
  }
  std::shared_ptr<const ops::ColumnMap> done() { return std::make_shared<ops::ColumnMap>(std::move(map_)); }

 private:
  ops::ColumnMap map_;
};

// Where the parts of a query or key stand in the common width of a head.
class HeadLayout {
 public:
  explicit HeadLayout(const AttentionOptions& options) : options_(options) {}

  // Element i of the part that RoPE turns, in the order of the weights: pair p stands at p and p + head_dim / 2.
  std::int64_t rotary_slot(std::int64_t i) const {
    const std::int64_t half = options_.qk_rope_head_dim / 2;
    const std::int64_t pair = options_.rope_interleave ? i / 2 : i % half;
    const bool second = options_.rope_interleave ? i % 2 == 1 : i >= half;
    return pair + (second ? options_.head_dim / 2 : 0);
  }
  // The same slots in ascending order.
  std::int64_t turned_slot(std::int64_t i) const {
    const std::int64_t half = options_.qk_rope_head_dim / 2;
    return i < half ? i : options_.head_dim / 2 + i - half;
  }
  // Element i of the part that stays: the slots that are left, in order.
  std::int64_t plain_slot(std::int64_t i) const {
    const std::int64_t half_rotary = options_.qk_rope_head_dim / 2;
    const std::int64_t first_gap = options_.head_dim / 2 - half_rotary;
    return i < first_gap ? half_rotary + i : options_.head_dim / 2 + half_rotary + (i - first_gap);
  }

 private:
  const AttentionOptions& options_;
};

}  // namespace

std::int64_t latent_head_dim(std::int64_t qk_nope_head_dim, std::int64_t qk_rope_head_dim, std::int64_t v_head_dim) {
  const std::int64_t widest = std::max(qk_nope_head_dim + qk_rope_head_dim, v_head_dim);
  return widest + widest % 2;
}

LatentAttention::LatentAttention(const AttentionOptions& options) : options_(options) {
  const std::int64_t nope = options.qk_nope_head_dim;
  const std::int64_t rotary = options.qk_rope_head_dim;
  const std::int64_t values = options.v_head_dim;
  const std::int64_t latent = options.kv_lora_rank;
  const std::int64_t hidden = options.hidden_size;
  WITAN_ASSERT(options.head_dim == latent_head_dim(nope, rotary, values) && options.kv_heads == options.heads);
  WITAN_ASSERT(options.scale > 0.0F);
  const std::int64_t q_in = options.q_lora_rank > 0 ? options.q_lora_rank : hidden;
  q_weight_ = weight_tensor({options.heads * (nope + rotary), q_in}, options.weights);
  if (options.q_lora_rank > 0) {
    q_a_weight_ = weight_tensor({options.q_lora_rank, hidden}, options.weights);
    q_a_norm_ = trained_tensor({options.q_lora_rank}, 1.0F);
    if (options.bias) q_a_bias_ = trained_tensor({options.q_lora_rank}, 0.0F);
  }
  kv_a_weight_ = weight_tensor({latent + rotary, hidden}, options.weights);
  if (options.bias) kv_a_bias_ = trained_tensor({latent + rotary}, 0.0F);
  kv_a_norm_ = trained_tensor({latent}, 1.0F);
  kv_b_weight_ = weight_tensor({options.heads * (nope + values), latent}, options.weights);
  o_weight_ = weight_tensor({hidden, options.heads * values}, options.weights);
  if (options.output_bias) o_bias_ = trained_tensor({hidden}, 0.0F);

  make_maps();
}

void LatentAttention::make_maps() {
  const std::int64_t nope = options_.qk_nope_head_dim;
  const std::int64_t rotary = options_.qk_rope_head_dim;
  const std::int64_t values = options_.v_head_dim;
  const std::int64_t latent = options_.kv_lora_rank;
  const std::int64_t dim = options_.head_dim;
  const HeadLayout layout(options_);
  const auto from = [](std::int64_t first) { return [first](std::int64_t i) { return first + i; }; };
  const auto plain_slots = [&](std::int64_t first) {
    return [&layout, first](std::int64_t i) { return first + layout.plain_slot(i); };
  };
  const auto turned_slots = [&](std::int64_t first) {
    return [&layout, first](std::int64_t i) { return first + layout.turned_slot(i); };
  };
  const auto rotary_slots = [&](std::int64_t first) {
    return [&layout, first](std::int64_t i) { return first + layout.rotary_slot(i); };
  };
  const std::int64_t all = options_.heads * dim;
  MapBuilder query(all), key(all), spread_key(all), value(all), packed_query(all), output(options_.heads * values);
  for (std::int64_t head = 0; head < options_.heads; ++head) {
    const std::int64_t at = head * dim;
    query.add(nope, plain_slots(at), from(head * (nope + rotary)));
    query.add(rotary, rotary_slots(at), from(head * (nope + rotary) + nope));
    key.add(nope, plain_slots(at), from(head * (nope + values)));
    spread_key.add(rotary, turned_slots(at), turned_slots(0));
    value.add(values, from(at), from(head * (nope + values) + nope));
    packed_query.add(rotary, from(at), turned_slots(at));
    packed_query.add(nope, from(at + rotary), plain_slots(at));
    output.add(values, from(head * values), from(at));
  }
  MapBuilder latents(latent), shared_key(dim), entry_latent(latent + rotary), entry_key(latent + rotary);
  latents.add(latent, from(0), from(0));
  shared_key.add(rotary, rotary_slots(0), from(latent));
  entry_latent.add(latent, from(0), from(0));
  entry_key.add(rotary, from(latent), turned_slots(0));
  query_map_ = query.done();
  key_map_ = key.done();
  spread_key_map_ = spread_key.done();
  value_map_ = value.done();
  packed_query_map_ = packed_query.done();
  output_map_ = output.done();
  latent_map_ = latents.done();
  shared_key_map_ = shared_key.done();
  entry_latent_map_ = entry_latent.done();
  entry_key_map_ = entry_key.done();
}

Tensor LatentAttention::queries(Tape& tape, const Tensor& rows) const {
  if (!q_a_weight_.defined()) return ops::linear(tape, rows, q_weight_);
  const Tensor latent = ops::linear(tape, rows, q_a_weight_, q_a_bias_);
  return ops::linear(tape, ops::rms_norm(tape, latent, q_a_norm_, kLatentEpsilon), q_weight_);
}

Tensor LatentAttention::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout,
                                std::int64_t layer) const {
  const auto turned = [&](const Tensor& x) { return ops::rope(tape, x, layout.rope, layout.positions); };
  const Tensor q = turned(ops::select_columns(tape, queries(tape, rows), query_map_));
  const Tensor compressed = ops::linear(tape, rows, kv_a_weight_, kv_a_bias_);
  const Tensor latent =
      ops::rms_norm(tape, ops::select_columns(tape, compressed, latent_map_), kv_a_norm_, kLatentEpsilon);
  const Tensor shared_key = turned(ops::select_columns(tape, compressed, shared_key_map_));
  WITAN_ASSERT(layout.cache == nullptr || !tape.recording());
  const Tensor mixed = layout.cache == nullptr ? attend_rows(tape, q, latent, shared_key, layout, layer)
                                               : attend_cache(q, latent, shared_key, *layout.cache, layer);
  return ops::linear(tape, mixed, o_weight_, o_bias_);
}

Tensor LatentAttention::attend_rows(Tape& tape, const Tensor& q, const Tensor& latent, const Tensor& shared_key,
                                    const SequenceLayout& layout, std::int64_t layer) const {
  const Tensor keys_and_values = ops::linear(tape, latent, kv_b_weight_);
  const Tensor k = ops::add(tape, ops::select_columns(tape, keys_and_values, key_map_),
                            ops::select_columns(tape, shared_key, spread_key_map_));
  const Tensor v = ops::select_columns(tape, keys_and_values, value_map_);
  return ops::select_columns(tape, attend(tape, options_, q, k, v, {}, layout, layer), output_map_);
}

Tensor LatentAttention::attend_cache(const Tensor& q, const Tensor& latent, const Tensor& shared_key, KvCache& cache,
                                     std::int64_t layer) const {
  Tape off;
  cache.store(layer,
              ops::add(off, ops::select_columns(off, latent, entry_latent_map_),
                       ops::select_columns(off, shared_key, entry_key_map_)),
              {});
  const LatentHeads heads{.heads = options_.heads,
                          .rotary = options_.qk_rope_head_dim,
                          .plain = options_.qk_nope_head_dim,
                          .values = options_.v_head_dim,
                          .latent = options_.kv_lora_rank,
                          .width = options_.head_dim,
                          .scale = options_.scale,
                          .window = options_.window};
  return attend_to_latents(heads, ops::select_columns(off, q, packed_query_map_),
                           cache.keys(layer, cache.length() + q.rows()), kv_b_weight_);
}

std::vector<Parameter> LatentAttention::parameters() const {
  std::vector<Parameter> result;
  if (q_a_weight_.defined()) {
    result = {{"q_a_proj.weight", q_a_weight_}, {"q_b_proj.weight", q_weight_}};
  } else {
    result = {{"q_proj.weight", q_weight_}};
  }
  result.push_back({"kv_a_proj_with_mqa.weight", kv_a_weight_});
  result.push_back({"kv_b_proj.weight", kv_b_weight_});
  result.push_back({"o_proj.weight", o_weight_});
  append_vector(result, "q_a_proj.bias", q_a_bias_);
  append_vector(result, "q_a_layernorm.weight", q_a_norm_);
  append_vector(result, "kv_a_proj_with_mqa.bias", kv_a_bias_);
  append_vector(result, "kv_a_layernorm.weight", kv_a_norm_);
  append_vector(result, "o_proj.bias", o_bias_);
  return result;
}

}  // namespace witan
