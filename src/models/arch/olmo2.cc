// OLMo 2 (OLMo team 2024): dense, norms behind attention and feed-forward part, RMSNorm over whole queries and keys.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::olmo2 {
namespace {

constexpr std::array kKeys = {ConfigKey{"intermediate_size", "intermediate_size", Presence::kRequired},
                              ConfigKey{"head_dim", "head_dim"}};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kKeys));
  json["head_dim"] = config.dim_per_head();
  json["attention_bias"] = config.attention_bias;
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.post_norm = true;
  config.qk_norm = "full";
  config.num_key_value_heads = 0;
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  read_keys(json, kKeys, config);
  read_attention_bias(json, config);
  make_dense(config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"olmo2", "Olmo2ForCausalLM", "OLMo 2", write_config, read_config, {}};

}  // namespace witan::olmo2
