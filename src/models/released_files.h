// What the loaders of decoders and of encoder-decoders read alike in a released folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/safetensors.h"
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

// Whether the folder holds weights: *.safetensors or an index of them.
bool has_weights(const std::filesystem::path& folder);

// A token id of a config; -1: absent or null. Throws Error naming the key.
std::int64_t read_token_id(const nlohmann::json& json, const char* key);
// One id or a list of them, as released models have it; empty: absent or null. Throws Error naming the key.
std::vector<std::int64_t> read_token_ids(const nlohmann::json& json, const char* key);

// The weights of a folder as numbers, whatever its config says that they are stored as.
class WeightFiles {
 public:
  // Opens the files; no values are read. Throws Error as SafetensorsReader does, and for a way to quantize that is not
  // known. config: the folder's.
  WeightFiles(const std::filesystem::path& folder, const nlohmann::json& config);
  WeightFiles(const WeightFiles&) = delete;
  WeightFiles& operator=(const WeightFiles&) = delete;

  const SafetensorsReader& reader() const { return reader_; }
  const StoredValues& values() const { return values_; }
  // All numbers of one tensor, in the shape that values() says.
  PooledVector<float> read(const std::string& name) const;

 private:
  SafetensorsReader reader_;
  StoredValues values_;
};

// What stands beside config.json and the weights and belongs to whatever is made of the model: tokenizer, chat
// template, how to generate, licence. All files but those two, and no folders: releases name such files as they like.
// Weights in formats that are not read here are weights too.
std::vector<std::filesystem::path> companion_files(const std::filesystem::path& folder);
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to);

// "'a', 'b' and 3 more", for messages.
std::string some_of(const std::vector<std::string>& names);

}  // namespace witan
