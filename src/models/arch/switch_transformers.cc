// Switch Transformers (Fedus et al. 2021): T5 with one expert per token and a fixed capacity, which counts outside
// training too.
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/arch/config_keys.h"
#include "models/arch/encoder_decoder_architecture.h"

namespace witan::switch_transformers {
namespace {

constexpr EncoderDecoderNames kNames = {
    .encoder = {.layers = "encoder.block.",
                .self_attention = "layer.0.SelfAttention.",
                .self_attention_norm = "layer.0.layer_norm",
                .cross_attention = {},
                .cross_attention_norm = {},
                .feed_forward = "layer.1.mlp.",
                .feed_forward_norm = "layer.1.layer_norm",
                .final_norm = "encoder.final_layer_norm",
                .relative_bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                .embedding_copy = "encoder.embed_tokens.weight"},
    .decoder = {.layers = "decoder.block.",
                .self_attention = "layer.0.SelfAttention.",
                .self_attention_norm = "layer.0.layer_norm",
                .cross_attention = "layer.1.EncDecAttention.",
                .cross_attention_norm = "layer.1.layer_norm",
                .feed_forward = "layer.2.mlp.",
                .feed_forward_norm = "layer.2.layer_norm",
                .final_norm = "decoder.final_layer_norm",
                .relative_bias = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                .embedding_copy = "decoder.embed_tokens.weight"},
    .q = "q",
    .k = "k",
    .v = "v",
    .o = "o",
    .up = "wi",
    .down = "wo",
    .router = "router.classifier",
    .experts = "experts.expert_",
    .embedding = "shared.weight",
    .head = "lm_head.weight",
    .ignored_suffix = "EncDecAttention.relative_attention_bias.weight",
};

bool is_sparse(std::int64_t layer, std::int64_t step) { return step == 1 || layer % step == 1; }

// The step is stored, or follows from how many layers are to be sparse: for none it is the number of layers, which by
// the rule above still makes the second one sparse. So the released code has it.
std::int64_t sparse_step(const nlohmann::json& json, std::string_view key, std::string_view count_key,
                         std::int64_t layers) {
  const std::int64_t count = read_integer(json, count_key, 3);
  return read_integer(json, key, count > 0 ? layers / count : layers);
}

EncoderDecoderConfig read_config(const nlohmann::json& json) {
  EncoderDecoderConfig config;
  config.vocab_size = required_size(json, "vocab_size");
  config.hidden_size = required_size(json, "d_model");
  const std::int64_t layers = required_size(json, "num_layers");
  const std::int64_t decoder_layers =
      given(json, "num_decoder_layers") ? required_size(json, "num_decoder_layers") : layers;
  const std::int64_t encoder_step = sparse_step(json, "encoder_sparse_step", "num_sparse_encoder_layers", layers);
  const std::int64_t decoder_step =
      sparse_step(json, "decoder_sparse_step", "num_sparse_decoder_layers", decoder_layers);
  config.encoder = {.num_heads = required_size(json, "num_heads"),
                    .head_dim = required_size(json, "d_kv"),
                    .intermediate_size = required_size(json, "d_ff"),
                    .sparse = sparse_layers("num_layers", layers, encoder_step, is_sparse)};
  config.decoder = config.encoder;
  config.decoder.sparse = sparse_layers("num_decoder_layers", decoder_layers, decoder_step, is_sparse);
  config.norm = {"rms", false, static_cast<float>(read_number(json, "layer_norm_epsilon", 1e-6))};
  // "feed_forward_proj" and "is_gated_act" stand beside it in released configs and are not read: no release is gated.
  config.activation = parse_activation(read_activation_name(json, "dense_act_fn", "relu"));
  config.relative_attention_num_buckets =
      given(json, "relative_attention_num_buckets") ? required_size(json, "relative_attention_num_buckets") : 32;
  config.relative_attention_max_distance = read_integer(json, "relative_attention_max_distance", 128);
  config.tie_word_embeddings = read_flag(json, "tie_word_embeddings", true);
  if (config.tie_word_embeddings) {
    config.logits_multiplier = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.hidden_size)));
  }
  read_router_keys(json, config);
  config.routing.capacity = read_integer(json, "expert_capacity", 64);
  config.pad_token_id = read_integer(json, "pad_token_id", 0);
  config.decoder_start_token_id = read_integer(json, "decoder_start_token_id", config.pad_token_id);
  return config;
}

}  // namespace

extern const EncoderDecoderArchitecture kArchitecture = {
    "switch_transformers", "Switch Transformers: T5 with one expert per token", read_config, kNames};

}  // namespace witan::switch_transformers
