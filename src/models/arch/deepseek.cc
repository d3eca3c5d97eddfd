// DeepSeekMoE 16B (Dai et al. 2024): softmax over all experts, optionally renormalised; shared experts; ordinary
// attention; the first layers dense.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/deepseek_keys.h"

namespace witan::deepseek {
namespace {

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  write_deepseek_experts(config, json);
  json["norm_topk_prob"] = is_normalized(config);
  json["scoring_func"] = "softmax";
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 0;
  config.rms_norm_eps = 1e-6;  // what the released code takes when a key is absent
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  const std::string& rope = config.rope.rope_type;
  if (rope != "default" && rope != "linear" && rope != "dynamic") {
    fail("key 'rope_scaling': type '{}' is not known to this architecture (known: linear, dynamic)", rope);
  }
  read_deepseek_experts(json, config);
  read_attention_bias(json, config);
  require_value(json, "scoring_func", "softmax");
  // The only choice is not normalised.
  set_softmax_weighting(read_flag(json, "norm_topk_prob", false) && config.moe.num_experts_per_tok > 1, config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"deepseek",   "DeepseekForCausalLM", "DeepSeekMoE 16B",
                                           write_config, read_config,           kDeepseekTensors};

}  // namespace witan::deepseek
