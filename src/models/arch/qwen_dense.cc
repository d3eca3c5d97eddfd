// Keys of the dense Qwen models.
#include "models/arch/qwen_dense.h"

#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/config_keys.h"

namespace witan {
namespace {

constexpr std::array kDenseKeys = {
    ConfigKey{"intermediate_size", "intermediate_size", Presence::kRequired},
    ConfigKey{"head_dim", "head_dim"},
};

bool is_full(std::int64_t layer, std::int64_t first_with_window) { return layer < first_with_window; }

}  // namespace

DecoderConfig read_qwen_dense(const nlohmann::json& json, DecoderConfig config) {
  config.num_key_value_heads = 32;  // what Hugging Face takes when a key is absent, here and below
  config.max_position_embeddings = 32768;
  config.rms_norm_eps = 1e-6;
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  read_keys(json, kDenseKeys, config);
  if (read_flag(json, "use_sliding_window", false)) {
    read_window(json, 4096, config);
    read_layer_types(json, is_full, read_integer(json, "max_window_layers", 28), config);
  }
  make_dense(config);
  return config;
}

nlohmann::json write_qwen_dense(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kDenseKeys));
  json["head_dim"] = config.dim_per_head();
  json["use_sliding_window"] = config.sliding_window > 0;
  json["sliding_window"] = window_or_null(config);
  json["layer_types"] = write_layer_types(config);
  return json;
}

}  // namespace witan
