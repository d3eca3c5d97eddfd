// gpt-oss (OpenAI 2025): attention sinks, a sliding window in every other layer, router and expert biases, clamped
// gated units whose gate and up rows alternate.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::gpt_oss {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"num_local_experts", "num_experts"},
    ConfigKey{"intermediate_size", "moe_intermediate_size", Presence::kRequired},
    ConfigKey{"head_dim", "head_dim"},
    ConfigKey{"swiglu_limit", "swiglu_limit"},
};
// The same number under two names.
constexpr std::array kChosen = {ConfigKey{"experts_per_token", "num_experts_per_tok"},
                                ConfigKey{"num_experts_per_tok", "num_experts_per_tok"}};

constexpr std::array kTensors = {
    TensorRule{"mlp.gate.weight", "mlp.router.weight"},
    TensorRule{"mlp.gate.bias", "mlp.router.bias"},
    TensorRule{"mlp.experts.gate_proj", "mlp.experts.gate_up_proj", Join::kInterleaved, true},
    TensorRule{"mlp.experts.up_proj", "mlp.experts.gate_up_proj", Join::kInterleaved, true},
    TensorRule{"mlp.experts.down_proj", "mlp.experts.down_proj", Join::kNone, true},
    TensorRule{"mlp.experts.gate_proj_bias", "mlp.experts.gate_up_proj_bias", Join::kInterleaved},
    TensorRule{"mlp.experts.up_proj_bias", "mlp.experts.gate_up_proj_bias", Join::kInterleaved},
    TensorRule{"mlp.experts.down_proj_bias", "mlp.experts.down_proj_bias"},
};

// Of the release, for configs that say nothing of RoPE.
nlohmann::json released_rope() {
  return {{"rope_type", "yarn"}, {"factor", 32.0},    {"beta_fast", 32.0},
          {"beta_slow", 1.0},    {"truncate", false}, {"original_max_position_embeddings", 4096}};
}

bool is_full(std::int64_t layer, std::int64_t /*first_with_window*/) { return layer % 2 == 1; }

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json.update(write_keys(config, kChosen));
  json["hidden_act"] = "silu";
  json["head_dim"] = config.dim_per_head();
  json["sliding_window"] = window_or_null(config);
  json["layer_types"] = write_layer_types(config);
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 8;  // what Hugging Face takes when a key is absent, here and below
  config.head_dim = 64;
  config.max_position_embeddings = 131072;
  config.rope_theta = 150000.0;
  config.tie_word_embeddings = false;
  config.attention_sinks = true;
  config.moe.num_experts_per_tok = 4;
  config.moe.expert_bias = true;
  config.moe.swiglu_limit = 7.0;
  config.moe.router_z_loss_coef = 0.0;
  config.moe.fields().find("router_bias").set("true");
  nlohmann::json with_rope = json;
  if (!json.contains("rope_scaling") && !json.contains("rope_parameters")) with_rope["rope_scaling"] = released_rope();
  read_decoder_keys(with_rope, config);
  read_keys(json, kKeys, config);
  read_expert_count(json, "num_local_experts", config);
  read_keys(json, kChosen, config);
  require_value(json, "hidden_act", "silu");
  require_value(json, "swiglu_alpha", 1.702);
  config.attention_bias = read_flag(json, "attention_bias", true);
  config.attention_output_bias = config.attention_bias;
  read_window(json, 128, config);
  read_layer_types(json, is_full, 0, config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"gpt_oss",    "GptOssForCausalLM", "gpt-oss-20b and gpt-oss-120b",
                                           write_config, read_config,         kTensors};

}  // namespace witan::gpt_oss
