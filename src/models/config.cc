// The fields of a decoder and what must hold between them.
#include "models/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/number_list.h"
#include "layers/latent_attention.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr std::int64_t kMaxVocabulary = 1 << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxOutputSoftmaxes = 256;
constexpr std::int64_t kMaxPositions = 1 << 24;  // some routers hold a number for each

void validate_attention(const DecoderConfig& config) {
  if (!config.is_latent() && config.head_dim == 0 && config.hidden_size % config.num_attention_heads != 0) {
    fail("model.hidden_size: {} is not a multiple of num_attention_heads={}; change one of them or set head_dim",
         config.hidden_size, config.num_attention_heads);
  }
  if (!config.is_latent() && config.num_attention_heads % config.num_key_value_heads != 0) {
    fail("model.num_attention_heads: {} is not a multiple of num_key_value_heads={}", config.num_attention_heads,
         config.num_key_value_heads);
  }
  if (config.rotary_dim() % 2 != 0) {
    fail("model.{}: {} is odd; RoPE rotates pairs (hidden_size={}, num_attention_heads={})",
         config.is_latent() ? "qk_rope_head_dim" : "head_dim", config.rotary_dim(), config.hidden_size,
         config.num_attention_heads);
  }
  config.rope.validate(config.rotary_dim());
  for (const auto& [name, layers] : {std::pair{"full_attention_layers", &config.full_attention_layers},
                                     std::pair{"mlp_only_layers", &config.mlp_only_layers}}) {
    for (const std::int64_t layer : parse_integers(fmt::format("model.{}", name), *layers)) {
      if (layer < 0 || layer >= config.num_hidden_layers) {
        fail("model.{}: {} is no layer, expected 0 to {}", name, layer, config.num_hidden_layers - 1);
      }
    }
  }
  if (config.norm_bias && config.norm != "layer") fail("model.norm_bias: only a norm of kind 'layer' has a bias");
  if (config.qk_norm != "none" && config.qk_norm != "head" && config.qk_norm != "full") {
    fail("model.qk_norm: unknown value '{}' (known: none, head, full)", config.qk_norm);
  }
  if (!(config.clip_qkv >= 0.0)) fail("model.clip_qkv: {} is negative; 0 switches it off", config.clip_qkv);
  if (config.num_output_softmaxes > 1 && (config.lm_head_bias || config.logits_scaling != 1.0)) {
    fail("model.num_output_softmaxes: {} softmaxes know no lm_head_bias and no logits_scaling",
         config.num_output_softmaxes);
  }
}

void validate_latent_attention(const DecoderConfig& config) {
  require_between("kv_lora_rank", config.kv_lora_rank, 1, kMaxWidth);
  require_between("q_lora_rank", config.q_lora_rank, 0, kMaxWidth);
  require_between("qk_nope_head_dim", config.qk_nope_head_dim, 0, kMaxWidth);
  require_between("qk_rope_head_dim", config.qk_rope_head_dim, 2, kMaxWidth);
  require_between("v_head_dim", config.v_head_dim, 1, kMaxWidth);
  if (config.qk_norm != "none" || config.clip_qkv != 0.0 || config.attention_sinks) {
    fail("model.kv_lora_rank: latent attention knows no qk_norm, clip_qkv or attention_sinks");
  }
}

void validate_mixture(const DecoderConfig& config) {
  const MoeOptions& moe = config.moe;
  require_between("num_experts", moe.num_experts, 1, kMaxWidth);
  require_between("num_experts_per_tok", moe.num_experts_per_tok, 1, kMaxWidth);
  require_between("moe_intermediate_size", moe.moe_intermediate_size, 1, kMaxWidth);
  require_between("n_shared_experts", moe.n_shared_experts, 0, kMaxWidth);
  if (moe.num_experts_per_tok > moe.num_experts) {
    fail("model.num_experts_per_tok: {} exceeds num_experts={}", moe.num_experts_per_tok, moe.num_experts);
  }
  moe.validate();
  const RouterEntry& router = find_router(moe.router);
  if (!config.allow_noncausal && !router.causal_safe(moe)) {
    fail(
        "model.router: with '{}' the choice for a token depends on later tokens ({}), so a decoder sees its own "
        "future; --allow-noncausal accepts that",
        moe.router, router.causality);
  }
}

}  // namespace

void require_between(std::string_view name, std::int64_t value, std::int64_t minimum, std::int64_t maximum) {
  if (value < minimum || value > maximum) fail("model.{}: {} is not between {} and {}", name, value, minimum, maximum);
}

Fields DecoderConfig::fields() {
  constexpr double kLargeReal = 1e12;
  Fields fields("model");
  fields.integer("vocab_size", vocab_size, 1, kMaxVocabulary, "Number of different tokens")
      .integer("hidden_size", hidden_size, 1, kMaxWidth, "Width of the residual stream")
      .integer("num_hidden_layers", num_hidden_layers, 1, kMaxLayers, "Number of transformer blocks")
      .integer("num_attention_heads", num_attention_heads, 1, kMaxWidth, "Query heads")
      .integer("num_key_value_heads", num_key_value_heads, 1, kMaxWidth,
               "Key and value heads, each shared by num_attention_heads / this query heads")
      .integer("head_dim", head_dim, 0, kMaxWidth, "Width of a head; 0: hidden_size / num_attention_heads")
      .integer("intermediate_size", intermediate_size, 1, kMaxWidth, "Width of the dense feed-forward layers")
      .flag("mlp_bias", mlp_bias, "Biases in the dense feed-forward layers")
      .choice("mlp_gated", mlp_gated, {"as_experts", "gated", "plain"},
              "Whether dense feed-forward layers are gated: as the experts are, or whatever those are (GLaM)")
      .integer("max_position_embeddings", max_position_embeddings, 1, kMaxPositions, "Longest sequence, in tokens")
      .real("rope_theta", rope_theta, 1.0, kLargeReal, "Base of the rotary position embedding's frequencies")
      .include(rope.fields())
      .real("rms_norm_eps", rms_norm_eps, 1e-30, 1.0,
            "Added to the mean square in RMSNorm, to the variance in LayerNorm")
      .choice("norm", norm, {"rms", "layer"}, "RMSNorm or LayerNorm")
      .flag("norm_bias", norm_bias, "Bias of a LayerNorm")
      .flag("post_norm", post_norm, "Norms stand behind attention and feed-forward layers instead of before them")
      .choice("qk_norm", qk_norm, {"none", "head", "full"},
              "RMSNorm of queries and keys: none, per head, or over the full projection")
      .real("clip_qkv", clip_qkv, 0.0, kLargeReal, "Clamps queries, keys and values to +- this; 0: off")
      .flag("attention_bias", attention_bias, "Biases of queries, keys and values")
      .flag("attention_output_bias", attention_output_bias, "Bias of attention's output projection")
      .flag("attention_sinks", attention_sinks,
            "A learned score per head joins the softmax of attention and has no value")
      .real("attention_multiplier", attention_multiplier, 0.0, kLargeReal,
            "Factor of attention's scores; 0: 1 / sqrt(width of queries)")
      .integer("sliding_window", sliding_window, 0, kMaxPositions, "Tokens that a token sees, itself included; 0: all")
      .text("full_attention_layers", full_attention_layers, "Layers without that window, comma-separated")
      .integer(
          "kv_lora_rank", kv_lora_rank, 0, kMaxWidth,
          "Width of the latent that keys and values are made of (multi-head latent attention); 0: ordinary attention")
      .integer("q_lora_rank", q_lora_rank, 0, kMaxWidth, "Latent attention: width of the queries' latent; 0: none")
      .integer("qk_nope_head_dim", qk_nope_head_dim, 0, kMaxWidth,
               "Latent attention: width of a query that RoPE leaves alone")
      .integer("qk_rope_head_dim", qk_rope_head_dim, 0, kMaxWidth, "Latent attention: width that RoPE turns")
      .integer("v_head_dim", v_head_dim, 0, kMaxWidth, "Latent attention: width of a value")
      .flag("rope_interleave", rope_interleave, "Latent attention: RoPE turns neighbours together, not halves")
      .flag("tie_word_embeddings", tie_word_embeddings, "The output projection is the embedding")
      .flag("lm_head_bias", lm_head_bias, "Bias of the output projection")
      .real("embedding_multiplier", embedding_multiplier, 1e-6, kLargeReal, "Factor of the embedding")
      .real("residual_multiplier", residual_multiplier, 1e-6, kLargeReal,
            "Factor of what attention and feed-forward layers add")
      .real("logits_scaling", logits_scaling, 1e-6, kLargeReal, "What the logits are divided by")
      .integer(
          "num_output_softmaxes", num_output_softmaxes, 1, kMaxOutputSoftmaxes,
          "Softmaxes over the vocabulary that the output mixes, weighed per token (Yang et al. 2018); 1: a plain one")
      .integer("decoder_sparse_step", decoder_sparse_step, 1, kMaxLayers,
               "A mixture in every n-th layer, a dense feed-forward layer elsewhere")
      .integer("first_k_dense_replace", first_k_dense_replace, 0, kMaxLayers,
               "The first layers are dense, whatever decoder_sparse_step says")
      .text("mlp_only_layers", mlp_only_layers, "These layers are dense too, comma-separated")
      .real("initializer_range", initializer_range, 0.0, 10.0, "Standard deviation of the initial weights")
      .flag("allow_noncausal", allow_noncausal, "Accept routers that see later tokens of the sequence")
      .include(moe.fields());
  return fields;
}

void DecoderConfig::complete(const std::set<std::string>& chosen) {
  const RouterEntry& router = find_router(moe.router);
  const std::int64_t only = router.kind == RouterKind::kEveryExpert ? moe.num_experts : router.fixed_experts_per_tok;
  if (only > 0 && !chosen.contains("num_experts_per_tok")) moe.num_experts_per_tok = only;
}

std::int64_t DecoderConfig::dim_per_head() const {
  if (is_latent()) return latent_head_dim(qk_nope_head_dim, qk_rope_head_dim, v_head_dim);
  return head_dim > 0 ? head_dim : hidden_size / num_attention_heads;
}

std::int64_t DecoderConfig::max_positions() const {
  if (rope.rope_type != "dynamic" && rope.rope_type != "linear" && rope.rope_type != "yarn") {
    return max_position_embeddings;
  }
  // Whoever stretches a released model leaves max_position_embeddings as it is; releases that were stretched raised it.
  const bool named = rope.rope_type != "dynamic" && rope.original_max_position_embeddings > 0;
  const std::int64_t before = named ? rope.original_max_position_embeddings : max_position_embeddings;
  const double stretched = static_cast<double>(before) * std::max(1.0, rope.rope_factor);
  return std::max(max_position_embeddings,
                  static_cast<std::int64_t>(std::min(stretched, static_cast<double>(kMaxPositions))));
}

MoeOptions DecoderConfig::mixture_options() const {
  MoeOptions options = moe;
  options.vocab_size = vocab_size;
  options.max_positions = max_positions();
  return options;
}

bool DecoderConfig::is_moe_layer(std::int64_t layer) const {
  if ((layer + 1) % decoder_sparse_step != 0 || layer < first_k_dense_replace) return false;
  return !list_holds(mlp_only_layers, layer);
}

std::int64_t DecoderConfig::num_moe_layers() const {
  std::int64_t count = 0;
  for (std::int64_t layer = 0; layer < num_hidden_layers; ++layer) count += is_moe_layer(layer) ? 1 : 0;
  return count;
}

std::int64_t DecoderConfig::window_of_layer(std::int64_t layer) const {
  return list_holds(full_attention_layers, layer) ? 0 : sliding_window;
}

void DecoderConfig::validate() const {
  require_between("vocab_size", vocab_size, 1, kMaxVocabulary);
  require_between("hidden_size", hidden_size, 1, kMaxWidth);
  require_between("num_hidden_layers", num_hidden_layers, 1, kMaxLayers);
  require_between("num_attention_heads", num_attention_heads, 1, kMaxWidth);
  require_between("num_key_value_heads", num_key_value_heads, 1, kMaxWidth);
  require_between("head_dim", head_dim, 0, kMaxWidth);
  require_between("intermediate_size", intermediate_size, 1, kMaxWidth);
  require_between("max_position_embeddings", max_position_embeddings, 1, kMaxPositions);
  require_between("num_output_softmaxes", num_output_softmaxes, 1, kMaxOutputSoftmaxes);
  require_between("decoder_sparse_step", decoder_sparse_step, 1, kMaxLayers);
  if (!(rope_theta >= 1.0) || !std::isfinite(rope_theta)) fail("model.rope_theta: {} is not at least 1", rope_theta);
  if (!(rms_norm_eps > 0.0)) fail("model.rms_norm_eps: {} is not above 0", rms_norm_eps);
  if (is_latent()) validate_latent_attention(*this);
  if (!(initializer_range >= 0.0)) fail("model.initializer_range: {} is negative", initializer_range);
  validate_attention(*this);
  validate_mixture(*this);
}

}  // namespace witan
