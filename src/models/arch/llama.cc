// Llama 2 and 3 (Touvron et al. 2023, Grattafiori et al. 2024): dense, what most others vary.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::llama {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"intermediate_size", "intermediate_size", Presence::kRequired},
    ConfigKey{"mlp_bias", "mlp_bias"},
    ConfigKey{"head_dim", "head_dim"},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json["head_dim"] = config.dim_per_head();
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 0;
  config.rms_norm_eps = 1e-6;  // what Hugging Face takes when a key is absent
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  read_keys(json, kKeys, config);
  read_attention_bias(json, config);
  make_dense(config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {
    "llama", "LlamaForCausalLM", "Llama 2 and 3, and what is built like them", write_config, read_config, {}};

}  // namespace witan::llama
