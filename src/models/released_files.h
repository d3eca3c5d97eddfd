// What the loaders of decoders and of encoder-decoders read alike in a released folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/stored_values.h"

namespace witan {

inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kGenerationFile = "generation_config.json";

// The config.json of a folder, an object. Throws Error for anything else.
nlohmann::json read_config_file(const std::filesystem::path& folder);
std::string model_type_of(const nlohmann::json& config);

// Calls read(), whose Errors then begin with the file's name.
template <class Read>
auto naming(const std::filesystem::path& file, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    fail("{}: {}", file.string(), error.what());
  }
}

// A token id of a config; -1: absent or null. Throws Error naming the key.
std::int64_t read_token_id(const nlohmann::json& json, const char* key);
// One id or a list of them, as released models have it; empty: absent or null. Throws Error naming the key.
std::vector<std::int64_t> read_token_ids(const nlohmann::json& json, const char* key);

// The weights, with the blocks that scales of eight-bit ones belong to. Throws Error for a way to quantize that is not
// known. `reader` must outlive the result.
StoredValues stored_values(const nlohmann::json& config, const SafetensorsReader& reader);

// "'a', 'b' and 3 more", for messages.
std::string some_of(const std::vector<std::string>& names);

}  // namespace witan
