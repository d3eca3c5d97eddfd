// MLA from ops.
#include "layers/latent_attention.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "base/error.h"
#include "layers/parameters.h"

namespace witan {
namespace {

constexpr float kLatentEpsilon = 1e-6F;  // of the norms of latents, whatever rms_norm_eps says: as released

std::shared_ptr<const ops::ColumnMap> range(std::int64_t first, std::int64_t count) {
  ops::ColumnMap map(static_cast<std::size_t>(count));
  std::iota(map.begin(), map.end(), static_cast<std::int32_t>(first));
  return std::make_shared<ops::ColumnMap>(std::move(map));
}

// Where the parts of a head stand in its common width.
class HeadLayout {
 public:
  explicit HeadLayout(const AttentionOptions& options) : options_(options) {}

  // Columns of a result [heads * head_dim]: slot -> column, where column(head, element) finds the elements of a part
  // and slots not in the part are empty.
  template <class Slot, class Column>
  std::shared_ptr<const ops::ColumnMap> map(std::int64_t elements, const Slot& slot, const Column& column) const {
    ops::ColumnMap result(static_cast<std::size_t>(options_.heads * options_.head_dim), ops::kNoColumn);
    add(result, elements, slot, column);
    return std::make_shared<ops::ColumnMap>(std::move(result));
  }
  template <class Slot, class Column>
  void add(ops::ColumnMap& result, std::int64_t elements, const Slot& slot, const Column& column) const {
    for (std::int64_t head = 0; head < options_.heads; ++head) {
      for (std::int64_t i = 0; i < elements; ++i) {
        result[static_cast<std::size_t>(head * options_.head_dim + slot(i))] =
            static_cast<std::int32_t>(column(head, i));
      }
    }
  }

  // Element i of the part that RoPE turns: pair p stands at p and p + head_dim / 2.
  std::int64_t rotary_slot(std::int64_t i) const {
    const std::int64_t half = options_.qk_rope_head_dim / 2;
    const std::int64_t pair = options_.rope_interleave ? i / 2 : i % half;
    const bool second = options_.rope_interleave ? i % 2 == 1 : i >= half;
    return pair + (second ? options_.head_dim / 2 : 0);
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

  const HeadLayout layout(options_);
  const auto rotary_slot = [&](std::int64_t i) { return layout.rotary_slot(i); };
  const auto plain_slot = [&](std::int64_t i) { return layout.plain_slot(i); };
  const auto same_slot = [](std::int64_t i) { return i; };
  const auto query = [&](std::int64_t head, std::int64_t i) { return head * (nope + rotary) + i; };
  const auto rotary_query = [&](std::int64_t head, std::int64_t i) { return query(head, nope + i); };
  const auto key = [&](std::int64_t head, std::int64_t i) { return head * (nope + values) + i; };
  const auto value = [&](std::int64_t head, std::int64_t i) { return key(head, nope + i); };
  ops::ColumnMap queries_of_heads = *layout.map(nope, plain_slot, query);
  layout.add(queries_of_heads, rotary, rotary_slot, rotary_query);
  query_map_ = std::make_shared<ops::ColumnMap>(std::move(queries_of_heads));
  key_map_ = layout.map(nope, plain_slot, key);
  rotary_key_map_ = layout.map(rotary, rotary_slot, [](std::int64_t, std::int64_t i) { return i; });
  value_map_ = layout.map(values, same_slot, value);
  latent_map_ = range(0, latent);
  shared_key_map_ = range(latent, rotary);
  ops::ColumnMap outputs;
  for (std::int64_t head = 0; head < options.heads; ++head) {
    for (std::int64_t i = 0; i < values; ++i) {
      outputs.push_back(static_cast<std::int32_t>(head * options.head_dim + i));
    }
  }
  output_map_ = std::make_shared<ops::ColumnMap>(std::move(outputs));
}

Tensor LatentAttention::queries(Tape& tape, const Tensor& rows) const {
  if (!q_a_weight_.defined()) return ops::linear(tape, rows, q_weight_);
  const Tensor latent = ops::linear(tape, rows, q_a_weight_, q_a_bias_);
  return ops::linear(tape, ops::rms_norm(tape, latent, q_a_norm_, kLatentEpsilon), q_weight_);
}

Tensor LatentAttention::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout,
                                std::int64_t layer) const {
  const Tensor q = ops::select_columns(tape, queries(tape, rows), query_map_);
  const Tensor compressed = ops::linear(tape, rows, kv_a_weight_, kv_a_bias_);
  const Tensor latent =
      ops::rms_norm(tape, ops::select_columns(tape, compressed, latent_map_), kv_a_norm_, kLatentEpsilon);
  const Tensor keys_and_values = ops::linear(tape, latent, kv_b_weight_);
  const Tensor shared_key = ops::select_columns(tape, compressed, shared_key_map_);
  const Tensor k = ops::add(tape, ops::select_columns(tape, keys_and_values, key_map_),
                            ops::select_columns(tape, shared_key, rotary_key_map_));
  const Tensor v = ops::select_columns(tape, keys_and_values, value_map_);
  const Tensor mixed = attend(tape, options_, ops::rope(tape, q, layout.rope, layout.positions),
                              ops::rope(tape, k, layout.rope, layout.positions), v, {}, layout, layer);
  return ops::linear(tape, ops::select_columns(tape, mixed, output_map_), o_weight_, o_bias_);
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
