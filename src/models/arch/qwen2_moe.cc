// Qwen1.5-MoE and Qwen2-MoE (Qwen team 2024): one wide shared expert behind a sigmoid gate, biases on queries, keys and
// values.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/qwen_moe.h"

namespace witan::qwen2_moe {
namespace {

constexpr const char* kModelType = "qwen2_moe";

constexpr std::array kKeys = {
    ConfigKey{"shared_expert_intermediate_size", "shared_expert_intermediate_size", Presence::kRequired}};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_qwen_moe(config);
  json["shared_expert_intermediate_size"] = config.moe.shared_width();
  json["qkv_bias"] = config.attention_bias;
  // Where all layers have the window too: what an absent list means depends on the version of Transformers. One with
  // both kinds of layers is kept where it was read: Transformers 4 does not look at it, so a new model is not saved so.
  const bool is_mixed = !config.full_attention_layers.empty();
  if (config.sliding_window > 0 && (!is_mixed || config.model_type == kModelType)) {
    json["layer_types"] = write_layer_types(config);
  }
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 16;  // what Hugging Face takes when a key is absent, here and below
  config.intermediate_size = 5632;
  config.attention_bias = read_flag(json, "qkv_bias", true);
  config.moe.shared_expert_gate = true;
  read_keys(json, kKeys, config);
  config = read_qwen_moe(json, config);
  // An absent list follows Transformers 4.57.1: the window is in every layer. Version 5 has it in every other one of
  // the first max_window_layers.
  read_layer_types(json, nullptr, 0, config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {kModelType,   "Qwen2MoeForCausalLM", "Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B",
                                           write_config, read_config,           kExpertsOneByOne};

}  // namespace witan::qwen2_moe
