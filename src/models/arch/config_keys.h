// Keys of a released config.json and the fields of a decoder they set: what architectures have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "models/decoder.h"

namespace witan {

enum class Presence { kRequired, kOptional };

struct ConfigKey {
  std::string_view key;                     // in config.json
  std::string_view field;                   // of DecoderConfig::fields()
  Presence presence = Presence::kOptional;  // optional: the value that the config has before reading stays
};

// vocab_size, hidden_size, layers, heads, positions, rope_theta, rms_norm_eps, hidden_act, top-k ...: what Hugging
// Face's decoders with mixtures name alike.
std::span<const ConfigKey> common_config_keys();

// Sets the fields whose keys are present and not null; other keys of `json` are not looked at. Throws Error for a
// missing required key and for a value of the wrong type or out of bounds.
void read_keys(const nlohmann::json& json, std::span<const ConfigKey> keys, DecoderConfig& config);
nlohmann::json write_keys(const DecoderConfig& config, std::span<const ConfigKey> keys);

// rope_theta from where Transformers 5 puts it ("rope_parameters"), too. Throws Error for a scaled RoPE.
void read_rope(const nlohmann::json& json, DecoderConfig& config);
// Throws Error when a flag of this name is set: "config.json: attention_bias=true is not supported by mixtral".
void refuse_flag(const nlohmann::json& json, std::string_view key, std::string_view model_type);

// What every architecture here but `witan` demands of a config: plain top-k routing without capacity in evaluation,
// SwiGLU experts and nothing else, in every layer.
bool is_plain_mixture(const DecoderConfig& config);

}  // namespace witan
