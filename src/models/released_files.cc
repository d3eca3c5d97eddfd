// Keys and names that the loaders share.
#include "models/released_files.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "base/json.h"
#include "formats/weight_formats.h"

namespace witan {
namespace {

constexpr std::size_t kMostNamed = 5;  // names in one message

std::int64_t token_id_of(const nlohmann::json& json, const char* key) {
  if (!json.is_number_unsigned() || json > std::numeric_limits<std::int32_t>::max()) {
    fail("key '{}': expected a token id, got {}", key, json.dump());
  }
  return json.get<std::int64_t>();
}

// With the blocks that scales of eight-bit weights belong to.
StoredValues stored_values(const nlohmann::json& json, const SafetensorsReader& reader) {
  std::int64_t rows = 128;
  std::int64_t cols = 128;
  const auto found = json.find("quantization_config");
  if (found == json.end() || found->is_null()) return {reader, rows, cols};
  const nlohmann::json method = found->is_object() ? found->value("quant_method", nlohmann::json()) : nlohmann::json();
  if (method != "fp8" && method != "mxfp4") {
    fail("key 'quantization_config': {} is not supported (known values of quant_method: fp8, mxfp4)", found->dump());
  }
  const auto blocks = found->find("weight_block_size");
  if (blocks == found->end() || blocks->is_null()) return {reader, rows, cols};
  const auto is_size = [](const nlohmann::json& size) {
    return size.is_number_unsigned() && size > 0 && size <= std::numeric_limits<std::int32_t>::max();
  };
  if (!blocks->is_array() || blocks->size() != 2 || !is_size((*blocks)[0]) || !is_size((*blocks)[1])) {
    fail("key 'weight_block_size': {}, expected two sizes", blocks->dump());
  }
  return {reader, (*blocks)[0].get<std::int64_t>(), (*blocks)[1].get<std::int64_t>()};
}

}  // namespace

nlohmann::json read_config_file(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kConfigFile;
  if (!std::filesystem::exists(path)) {
    fail("{}: no {} there; expected the folder of a model", folder.string(), kConfigFile);
  }
  return read_json_object(path);
}

std::string model_type_of(const nlohmann::json& config) {
  const auto type = config.find("model_type");
  if (type == config.end() || !type->is_string()) fail("key 'model_type' is missing or no string");
  return type->get<std::string>();
}

bool has_weights(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) return false;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")) return true;
  }
  return false;
}

std::int64_t read_token_id(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? -1 : token_id_of(*found, key);
}

std::vector<std::int64_t> read_token_ids(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  if (!found->is_array()) return {token_id_of(*found, key)};
  std::vector<std::int64_t> ids;
  for (const nlohmann::json& id : *found) ids.push_back(token_id_of(id, key));
  return ids;
}

WeightFiles::WeightFiles(const std::filesystem::path& folder, const nlohmann::json& config)
    : reader_(folder), values_(naming(folder / kConfigFile, [&] { return stored_values(config, reader_); })) {}

PooledVector<float> WeightFiles::read(const std::string& name) const {
  const std::vector<std::int64_t> shape = values_.shape(name);
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  PooledVector<float> out(count);
  values_.read(name, shape, 0, 1, out);
  return out;
}

std::vector<std::filesystem::path> companion_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != kConfigFile && !names_weights(entry.path())) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const std::filesystem::path& file : companion_files(from)) {
    write_file(to / file.filename(), read_text_file(file));
  }
}

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
  return names.size() > kMostNamed ? fmt::format("{} and {} more", text, names.size() - kMostNamed) : text;
}

}  // namespace witan
