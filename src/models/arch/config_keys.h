// Keys of a released config.json and the fields of a decoder they set: what architectures have in common.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "models/config.h"

namespace witan {

enum class Presence { kRequired, kOptional };

struct ConfigKey {
  std::string_view key;                     // in config.json
  std::string_view field;                   // of DecoderConfig::fields()
  Presence presence = Presence::kOptional;  // optional: the value that the config has before reading stays
};

// A key that is there and not null.
bool given(const nlohmann::json& json, std::string_view key);

// Sets the fields whose keys are given; other keys of `json` are not looked at. Throws Error for a missing required key
// and for a value of the wrong type or out of bounds.
void read_keys(const nlohmann::json& json, std::span<const ConfigKey> keys, DecoderConfig& config);
nlohmann::json write_keys(const DecoderConfig& config, std::span<const ConfigKey> keys);

// The number of routed experts, under the key of the releases or, when that is not given, under the names by which
// later versions of Transformers write it; `own` when there is none.
std::string_view expert_count_key(const nlohmann::json& json, std::string_view own);
// Throws Error as read_keys does when it is missing.
void read_expert_count(const nlohmann::json& json, std::string_view own, DecoderConfig& config);

// What Hugging Face's decoders name alike: vocab_size, hidden_size, layers, heads, positions, rms_norm_eps, hidden_act,
// tie_word_embeddings, RoPE with its scaling. As many key heads as query heads when num_key_value_heads is null, or is
// absent and the config holds 0 there. Throws Error as read_keys does, and for a RoPE that is not known.
void read_decoder_keys(const nlohmann::json& json, DecoderConfig& config);
nlohmann::json write_decoder_keys(const DecoderConfig& config);

// The nonlinearity under this key, by any of its names in Hugging Face's table that means one of ours -> our name.
std::string read_activation_name(const nlohmann::json& json, std::string_view key, std::string_view fallback);
void read_activation(const nlohmann::json& json, std::string_view key, DecoderConfig& config);

// Throws Error "key 'x': expected true or false, got 3".
bool read_flag(const nlohmann::json& json, std::string_view key, bool fallback);
std::int64_t read_integer(const nlohmann::json& json, std::string_view key, std::int64_t fallback);
double read_number(const nlohmann::json& json, std::string_view key, double fallback);
std::string read_text(const nlohmann::json& json, std::string_view key, std::string_view fallback);

// Throws Error unless the key is absent, null, or has this value.
void require_value(const nlohmann::json& json, std::string_view key, const nlohmann::json& supported);

// The same flag on queries, keys, values and output.
void read_attention_bias(const nlohmann::json& json, DecoderConfig& config);

// "sliding_window" on every layer; absent: `fallback`, 0 for none.
void read_window(const nlohmann::json& json, std::int64_t fallback, DecoderConfig& config);
// "layer_types", which name the layers with a window. Absent: every layer, but those for which `is_full` (may be null)
// holds.
void read_layer_types(const nlohmann::json& json, bool (*is_full)(std::int64_t layer, std::int64_t first_with_window),
                      std::int64_t first_with_window, DecoderConfig& config);
// Throws Error when "layer_types" is given and says otherwise than the windows of the config, which its architecture
// takes from other keys.
void check_layer_types(const nlohmann::json& json, const DecoderConfig& config);
nlohmann::json write_layer_types(const DecoderConfig& config);
nlohmann::json window_or_null(const DecoderConfig& config);

// Dense layers by "mlp_only_layers" and "decoder_sparse_step".
void read_sparse_step(const nlohmann::json& json, DecoderConfig& config);
void write_sparse_step(const DecoderConfig& config, nlohmann::json& json);
// No mixture in any layer.
void make_dense(DecoderConfig& config);

// The factor of attention's scores, which attention_multiplier = 0 leaves to the width of queries.
double attention_scale(const DecoderConfig& config);

// softmax over all, divided by the sum over the selected when `normalized`.
void set_softmax_weighting(bool normalized, DecoderConfig& config);
bool is_normalized(const DecoderConfig& config);

}  // namespace witan
