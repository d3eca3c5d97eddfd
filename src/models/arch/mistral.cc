// Mistral 7B (Jiang et al. 2023): dense, Llama with a sliding window; in some layers only where "layer_types" says so,
// as Ministral has it.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::mistral {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"intermediate_size", "intermediate_size", Presence::kRequired},
    ConfigKey{"head_dim", "head_dim"},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json["head_dim"] = config.dim_per_head();
  json["sliding_window"] = window_or_null(config);
  if (!config.full_attention_layers.empty()) json["layer_types"] = write_layer_types(config);
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.num_key_value_heads = 8;  // what Hugging Face takes when a key is absent, here and below
  config.max_position_embeddings = 131072;
  config.rms_norm_eps = 1e-6;
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  read_keys(json, kKeys, config);
  read_window(json, 4096, config);
  read_layer_types(json, nullptr, 0, config);
  make_dense(config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"mistral",    "MistralForCausalLM", "Mistral 7B",
                                           write_config, read_config,          {}};

}  // namespace witan::mistral
