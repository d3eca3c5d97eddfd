// Phi-3.5-MoE (Abdin et al. 2024): two experts picked and weighed by the router sparsemixer, LayerNorm with bias,
// biases in attention and head, longrope.
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/rope_keys.h"

namespace witan::phimoe {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"num_local_experts", "num_experts"},
    ConfigKey{"num_experts_per_tok", "num_experts_per_tok"},
    ConfigKey{"intermediate_size", "moe_intermediate_size", Presence::kRequired},
    ConfigKey{"router_jitter_noise", "sparsemixer_epsilon"},
    ConfigKey{"input_jitter_noise", "router_jitter_noise"},
    ConfigKey{"lm_head_bias", "lm_head_bias"},
};

constexpr std::array kTensors = {
    TensorRule{"mlp.gate.weight", "block_sparse_moe.gate.weight"},
    TensorRule{"mlp.experts.gate_proj", "block_sparse_moe.experts.{}.w1.weight"},
    TensorRule{"mlp.experts.down_proj", "block_sparse_moe.experts.{}.w2.weight"},
    TensorRule{"mlp.experts.up_proj", "block_sparse_moe.experts.{}.w3.weight"},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json["attention_bias"] = config.attention_bias;
  json["sliding_window"] = window_or_null(config);
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.norm = "layer";
  config.norm_bias = true;
  config.num_key_value_heads = 8;  // what Hugging Face takes when a key is absent, here and below
  config.max_position_embeddings = 131072;
  config.rope_theta = 1e6;
  config.tie_word_embeddings = false;
  config.moe.router = "sparsemixer";
  config.moe.router_aux_loss_coef = 0.001;
  config.moe.router_z_loss_coef = 0.0;
  read_decoder_keys(json, config);
  read_phimoe_rope(json, config);
  read_keys(json, kKeys, config);
  read_expert_count(json, "num_local_experts", config);
  read_attention_bias(json, config);
  read_window(json, 0, config);
  if (config.moe.num_experts_per_tok != 2) {
    fail("key 'num_experts_per_tok': {}, expected 2: the released router picks twice", config.moe.num_experts_per_tok);
  }
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"phimoe",     "PhimoeForCausalLM", "Phi-3.5-MoE",
                                           write_config, read_config,         kTensors};

}  // namespace witan::phimoe
