// The fields of a decoder and what must hold between them.
#include <cmath>

#include "base/error.h"
#include "models/decoder.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr std::int64_t kMaxVocabulary = 1 << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxOutputSoftmaxes = 256;
constexpr std::int64_t kMaxPositions = 1 << 20;  // the tables of RoPE are made for all of them

void require_between(const char* name, std::int64_t value, std::int64_t minimum, std::int64_t maximum) {
  if (value < minimum || value > maximum) fail("model.{}: {} is not between {} and {}", name, value, minimum, maximum);
}

void validate_attention(const DecoderConfig& config) {
  if (config.head_dim == 0 && config.hidden_size % config.num_attention_heads != 0) {
    fail("model.hidden_size: {} is not a multiple of num_attention_heads={}; change one of them or set head_dim",
         config.hidden_size, config.num_attention_heads);
  }
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fail("model.num_attention_heads: {} is not a multiple of num_key_value_heads={}", config.num_attention_heads,
         config.num_key_value_heads);
  }
  if (config.dim_per_head() % 2 != 0) {
    fail("model.head_dim: {} is odd; RoPE rotates pairs (hidden_size={}, num_attention_heads={})",
         config.dim_per_head(), config.hidden_size, config.num_attention_heads);
  }
  // A config from elsewhere must not take the memory: its positions are not bounded by the weights beside it.
  constexpr std::int64_t kMaxRopeValues = std::int64_t{1} << 27;
  if (config.max_position_embeddings > kMaxRopeValues / config.dim_per_head()) {
    fail("model.max_position_embeddings: {} positions of head_dim={} exceed the {} values that RoPE's table may have",
         config.max_position_embeddings, config.dim_per_head(), kMaxRopeValues);
  }
  if (config.qk_norm != "none" && config.qk_norm != "head" && config.qk_norm != "full") {
    fail("model.qk_norm: unknown value '{}' (known: none, head, full)", config.qk_norm);
  }
  if (!(config.clip_qkv >= 0.0)) fail("model.clip_qkv: {} is negative; 0 switches it off", config.clip_qkv);
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
      .integer("max_position_embeddings", max_position_embeddings, 1, kMaxPositions, "Longest sequence, in tokens")
      .real("rope_theta", rope_theta, 1.0, kLargeReal, "Base of the rotary position embedding's frequencies")
      .real("rms_norm_eps", rms_norm_eps, 0.0, 1.0, "Added to the mean square in RMSNorm")
      .choice("qk_norm", qk_norm, {"none", "head", "full"},
              "RMSNorm of queries and keys: none, per head, or over the full projection")
      .real("clip_qkv", clip_qkv, 0.0, kLargeReal, "Clamps queries, keys and values to +- this; 0: off")
      .flag("tie_word_embeddings", tie_word_embeddings, "The output projection is the embedding")
      .integer(
          "num_output_softmaxes", num_output_softmaxes, 1, kMaxOutputSoftmaxes,
          "Softmaxes over the vocabulary that the output mixes, weighed per token (Yang et al. 2018); 1: a plain one")
      .integer("decoder_sparse_step", decoder_sparse_step, 1, kMaxLayers,
               "A mixture in every n-th layer, a dense feed-forward layer elsewhere")
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

MoeOptions DecoderConfig::mixture_options() const {
  MoeOptions options = moe;
  options.vocab_size = vocab_size;
  options.max_positions = max_position_embeddings;
  return options;
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
  if (!(rms_norm_eps >= 0.0)) fail("model.rms_norm_eps: {} is negative", rms_norm_eps);
  if (!(initializer_range >= 0.0)) fail("model.initializer_range: {} is negative", initializer_range);
  validate_attention(*this);
  validate_mixture(*this);
}

}  // namespace witan
