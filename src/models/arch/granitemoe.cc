// Granite MoE (IBM 2024): softmax over the selected logits, gate and up projections of an expert in one tensor, and
// four multipliers.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::granitemoe {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"num_local_experts", "num_experts"},
    ConfigKey{"num_experts_per_tok", "num_experts_per_tok", Presence::kRequired},
    ConfigKey{"intermediate_size", "moe_intermediate_size", Presence::kRequired},
    ConfigKey{"embedding_multiplier", "embedding_multiplier"},
    ConfigKey{"attention_multiplier", "attention_multiplier"},
    ConfigKey{"residual_multiplier", "residual_multiplier"},
    ConfigKey{"logits_scaling", "logits_scaling"},
    ConfigKey{"head_dim", "head_dim"},
};

constexpr std::array kTensors = {
    TensorRule{"mlp.gate.weight", "block_sparse_moe.router.layer.weight"},
    TensorRule{"mlp.experts.gate_proj", "block_sparse_moe.input_linear.weight", Join::kStacked},
    TensorRule{"mlp.experts.up_proj", "block_sparse_moe.input_linear.weight", Join::kStacked},
    TensorRule{"mlp.experts.down_proj", "block_sparse_moe.output_linear.weight"},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json["head_dim"] = config.dim_per_head();
  json["attention_multiplier"] = attention_scale(config);
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 0;
  config.rms_norm_eps = 1e-6;  // what Hugging Face takes when a key is absent, here and below
  config.attention_multiplier = 1.0;
  config.tie_word_embeddings = false;
  config.moe.router_aux_loss_coef = 0.001;
  config.moe.router_z_loss_coef = 0.0;
  read_decoder_keys(json, config);
  read_keys(json, kKeys, config);
  read_expert_count(json, "num_local_experts", config);
  read_attention_bias(json, config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {
    "granitemoe", "GraniteMoeForCausalLM", "Granite 3 MoE 1B-A400M and 3B-A800M", write_config, read_config, kTensors};

}  // namespace witan::granitemoe
