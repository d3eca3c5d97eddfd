// Qwen3-MoE (Qwen team 2025): RMSNorm of each query and key head, no shared expert.
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/qwen_moe.h"

namespace witan::qwen3_moe {
namespace {

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_qwen_moe(config);
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.qk_norm = "head";
  config.num_key_value_heads = 4;  // what Hugging Face takes when a key is absent, here and below
  config.intermediate_size = 6144;
  read_attention_bias(json, config);
  return read_qwen_moe(json, config);
}

}  // namespace

extern const Architecture kArchitecture = {"qwen3_moe",  "Qwen3MoeForCausalLM", "Qwen3-30B-A3B, Qwen3-235B-A22B",
                                           write_config, read_config,           kExpertsOneByOne};

}  // namespace witan::qwen3_moe
