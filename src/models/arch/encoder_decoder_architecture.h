// What an architecture of an encoder-decoder on disk has to say: how its config.json and its tensors' names map to the
// one graph. Adding one is a short file beside this one and a line in encoder_decoder_table.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "models/encoder_decoder_config.h"

namespace witan {

struct EncoderDecoderArchitecture {
  std::string_view model_type;  // of config.json, where '-' may stand for '_'
  std::string_view summary;     // one line
  // Throws Error for keys that are missing, out of bounds, or ask for what is not supported.
  EncoderDecoderConfig (*read_config)(const nlohmann::json& json);
  EncoderDecoderNames names;
};

std::span<const EncoderDecoderArchitecture* const> encoder_decoder_table();
// Null when the type is none of the table.
const EncoderDecoderArchitecture* find_encoder_decoder(std::string_view model_type);

// What the architectures have in common.

// A whole number that must be there, at least 1.
std::int64_t required_size(const nlohmann::json& json, std::string_view key);
// Number of layers under `key`, each with a mixture if is_sparse(layer, step) says so; none with step 0.
std::vector<bool> sparse_layers(std::string_view key, std::int64_t layers, std::int64_t step,
                                bool (*is_sparse)(std::int64_t layer, std::int64_t step));
// num_experts, router_bias and router_dtype.
void read_router_keys(const nlohmann::json& json, EncoderDecoderConfig& config);

}  // namespace witan
