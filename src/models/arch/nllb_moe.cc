// NLLB-MoE (NLLB Team et al. 2022): translation between 200 languages, two experts per token.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/config_keys.h"
#include "models/arch/encoder_decoder_architecture.h"

namespace witan::nllb_moe {
namespace {

constexpr EncoderDecoderNames kNames = {
    .encoder = {.layers = "model.encoder.layers.",
                .self_attention = "self_attn.",
                .self_attention_norm = "self_attn_layer_norm",
                .cross_attention = {},
                .cross_attention_norm = {},
                .feed_forward = "ffn.",
                .feed_forward_norm = "ff_layer_norm",
                .final_norm = "model.encoder.layer_norm",
                .relative_bias = {},
                .embedding_copy = "model.encoder.embed_tokens.weight"},
    .decoder = {.layers = "model.decoder.layers.",
                .self_attention = "self_attn.",
                .self_attention_norm = "self_attn_layer_norm",
                .cross_attention = "cross_attention.",
                .cross_attention_norm = "cross_attention_layer_norm",
                .feed_forward = "ffn.",
                .feed_forward_norm = "ff_layer_norm",
                .final_norm = "model.decoder.layer_norm",
                .relative_bias = {},
                .embedding_copy = "model.decoder.embed_tokens.weight"},
    .q = "q_proj",
    .k = "k_proj",
    .v = "v_proj",
    .o = "out_proj",
    .up = "fc1",
    .down = "fc2",
    .router = "router.classifier",
    .experts = "experts.expert_",
    .embedding = "model.shared.weight",
    .head = "lm_head.weight",
    .ignored_suffix = "embed_positions.weights",
};

bool is_sparse(std::int64_t layer, std::int64_t step) { return (layer + 1) % step == 0; }

StackConfig read_stack(const nlohmann::json& json, const std::string& side, std::int64_t hidden_size) {
  const std::string layers = side + "_layers";
  const std::string heads_key = side + "_attention_heads";
  const std::int64_t heads = required_size(json, heads_key);
  if (hidden_size % heads != 0) {
    fail("key '{}': d_model={} is not a multiple of {} heads", heads_key, hidden_size, heads);
  }
  return {.num_heads = heads,
          .head_dim = hidden_size / heads,
          .intermediate_size = required_size(json, side + "_ffn_dim"),
          .sparse = sparse_layers(layers, required_size(json, layers), read_integer(json, side + "_sparse_step", 4),
                                  is_sparse)};
}

void read_routing(const nlohmann::json& json, EncoderDecoderConfig& config) {
  read_router_keys(json, config);
  // "sampling" and "random" draw outside training too: no two runs of such a model agree.
  require_value(json, "second_expert_policy", "all");
  CapacityRouting& routing = config.routing;
  routing.choices = 2;
  routing.batch_prioritized = read_flag(json, "batch_prioritized_routing", false);
  routing.normalize_before_dropping = read_flag(json, "normalize_router_prob_before_dropping", false);
  routing.capacity_fraction = read_number(json, "moe_eval_capacity_token_fraction", 1.0);
  const bool by_number = routing.capacity_fraction <= 0.0;
  if (by_number && json.contains("expert_capacity") && !given(json, "expert_capacity")) {
    fail(
        "key 'expert_capacity': null with moe_eval_capacity_token_fraction={} leaves the capacity to the first pass; "
        "expected a number",
        routing.capacity_fraction);
  }
  routing.capacity = read_integer(json, "expert_capacity", 64);
  const double masked = read_number(json, "moe_token_dropout", 0.2);
  if (masked > 1.0) fail("key 'moe_token_dropout': {} is no probability", masked);
  if (masked > 0.0) config.expert_output_multiplier = static_cast<float>(1.0 - masked);
}

EncoderDecoderConfig read_config(const nlohmann::json& json) {
  EncoderDecoderConfig config;
  config.vocab_size = required_size(json, "vocab_size");
  config.hidden_size = required_size(json, "d_model");
  config.encoder = read_stack(json, "encoder", config.hidden_size);
  config.decoder = read_stack(json, "decoder", config.hidden_size);
  config.norm = {"layer", true, 1e-5F};
  config.bias = true;
  config.names_languages = true;
  config.attention_scale = 0.0F;
  config.activation = parse_activation(read_activation_name(json, "activation_function", "relu"));
  if (read_flag(json, "scale_embedding", true)) {
    config.embedding_multiplier = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  }
  config.tie_word_embeddings = read_flag(json, "tie_word_embeddings", true);
  read_routing(json, config);
  config.pad_token_id = read_integer(json, "pad_token_id", 1);
  config.decoder_start_token_id = read_integer(json, "decoder_start_token_id", 2);
  return config;
}

}  // namespace

extern const EncoderDecoderArchitecture kArchitecture = {"nllb_moe", "NLLB-MoE: translation with two experts per token",
                                                         read_config, kNames};

}  // namespace witan::nllb_moe
