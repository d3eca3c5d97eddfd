// OLMoE (Muennighoff et al. 2024): softmax over all experts, optionally renormalised over the selected; RMSNorm over
// the whole query and key projections; optional clamping of queries, keys and values.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"num_experts", "num_experts", Presence::kRequired},
    ConfigKey{"clip_qkv", "clip_qkv"},
};

constexpr std::array kTensors = {
    TensorRule{"mlp.experts.gate_proj", "mlp.experts.{}.gate_proj.weight"},
    TensorRule{"mlp.experts.down_proj", "mlp.experts.{}.down_proj.weight"},
    TensorRule{"mlp.experts.up_proj", "mlp.experts.{}.up_proj.weight"},
};

bool expresses(const DecoderConfig& config) {
  const bool weighting = config.moe.weighting == "softmax_then_topk" || config.moe.weighting == "topk_then_softmax";
  // Its config has no key for the width of a head.
  const bool head_dim = config.dim_per_head() * config.num_attention_heads == config.hidden_size;
  return is_plain_mixture(config) && weighting && config.qk_norm == "full" && head_dim;
}

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_keys(config, common_config_keys());
  json.update(write_keys(config, kKeys));
  if (config.clip_qkv == 0.0) json["clip_qkv"] = nullptr;
  // Softmax over the selected logits is the softmax over all, divided by the sum over the selected.
  json["norm_topk_prob"] = config.moe.weighting == "topk_then_softmax";
  json["attention_bias"] = false;
  json["rope_scaling"] = nullptr;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.qk_norm = "full";
  config.max_position_embeddings = 4096;  // what Hugging Face takes when a key is absent
  config.tie_word_embeddings = false;
  config.moe.router_z_loss_coef = 0.0;
  config.num_key_value_heads = 1;
  read_keys(json, common_config_keys(), config);
  if (!json.contains("num_key_value_heads") || json.at("num_key_value_heads").is_null()) {
    config.num_key_value_heads = config.num_attention_heads;
  }
  read_keys(json, kKeys, config);
  read_rope(json, config);
  refuse_flag(json, "attention_bias", "olmoe");
  const nlohmann::json normalized = json.value("norm_topk_prob", nlohmann::json(false));
  config.moe.weighting = normalized == true ? "topk_then_softmax" : "softmax_then_topk";
  return config;
}

}  // namespace

const Architecture kOlmoe = {"olmoe",      "OlmoeForCausalLM", "OLMoE 1B-7B", expresses,
                             write_config, read_config,        kTensors};

}  // namespace witan
