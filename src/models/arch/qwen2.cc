// Qwen2 and Qwen2.5 (Qwen team 2024): dense, biases on queries, keys and values.
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/qwen_dense.h"

namespace witan::qwen2 {
namespace {

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.attention_bias = true;
  return read_qwen_dense(json, config);
}

}  // namespace

extern const Architecture kArchitecture = {"qwen2",          "Qwen2ForCausalLM", "Qwen2 and Qwen2.5",
                                           write_qwen_dense, read_config,        {}};

}  // namespace witan::qwen2
