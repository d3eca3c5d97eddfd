// Qwen3 (Qwen team 2025): dense, RMSNorm of each query and key head.
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/qwen_dense.h"

namespace witan::qwen3 {
namespace {

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_qwen_dense(config);
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.qk_norm = "head";
  config.head_dim = 128;  // what Hugging Face takes when the key is absent
  read_attention_bias(json, config);
  return read_qwen_dense(json, config);
}

}  // namespace

extern const Architecture kArchitecture = {"qwen3", "Qwen3ForCausalLM", "Qwen3", write_config, read_config, {}};

}  // namespace witan::qwen3
