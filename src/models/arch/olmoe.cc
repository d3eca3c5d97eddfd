// OLMoE (Muennighoff et al. 2024): softmax over all experts, optionally renormalised over the selected; RMSNorm over
// the whole query and key projections; optional clamping of queries, keys and values.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::olmoe {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"num_experts", "num_experts"},
    ConfigKey{"num_experts_per_tok", "num_experts_per_tok", Presence::kRequired},
    ConfigKey{"intermediate_size", "moe_intermediate_size", Presence::kRequired},
    ConfigKey{"clip_qkv", "clip_qkv"},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  if (config.clip_qkv == 0.0) json["clip_qkv"] = nullptr;
  json["norm_topk_prob"] = is_normalized(config);
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.qk_norm = "full";
  config.num_key_value_heads = 0;
  config.max_position_embeddings = 4096;  // what Hugging Face takes when a key is absent
  config.tie_word_embeddings = false;
  config.moe.router_z_loss_coef = 0.0;
  read_decoder_keys(json, config);
  read_keys(json, kKeys, config);
  read_expert_count(json, "num_experts", config);
  read_attention_bias(json, config);
  set_softmax_weighting(read_flag(json, "norm_topk_prob", false), config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"olmoe",      "OlmoeForCausalLM", "OLMoE 1B-7B",
                                           write_config, read_config,        kExpertsOneByOne};

}  // namespace witan::olmoe
