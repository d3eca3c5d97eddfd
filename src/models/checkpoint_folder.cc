// Saving and loading of model directories.
#include "models/checkpoint_folder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "models/arch/architecture.h"
#include "models/parameter_counts.h"
#include "models/stored_pieces.h"

namespace witan {
namespace {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kGenerationFile = "generation_config.json";
constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr std::size_t kMostNamed = 5;  // names in one message

// Keys that every config.json of ours carries around the architecture's own.
constexpr std::array<std::string_view, 7> kEnvelope = {
    "model_type", "architectures", "torch_dtype", "bos_token_id", "eos_token_id", "use_cache", "transformers_version"};

std::vector<Parameter> saved_parameters(const Decoder& model) {
  std::vector<Parameter> all = model.parameters();
  const std::vector<Parameter> buffers = model.buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

nlohmann::json token_id(std::int64_t id) { return id < 0 ? nlohmann::json() : nlohmann::json(id); }

// One id stands by itself, as readers that know no lists expect.
nlohmann::json token_ids(const std::vector<std::int64_t>& ids) {
  if (ids.empty()) return {};
  return ids.size() == 1 ? nlohmann::json(ids.front()) : nlohmann::json(ids);
}

std::int64_t token_id_of(const nlohmann::json& json, const char* key) {
  if (!json.is_number_unsigned() || json > std::numeric_limits<std::int32_t>::max()) {
    fail("key '{}': expected a token id, got {}", key, json.dump());
  }
  return json.get<std::int64_t>();
}

std::int64_t read_token_id(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? -1 : token_id_of(*found, key);
}

// Released models name one id or a list of them.
std::vector<std::int64_t> read_token_ids(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  if (!found->is_array()) return {token_id_of(*found, key)};
  std::vector<std::int64_t> ids;
  for (const nlohmann::json& id : *found) ids.push_back(token_id_of(id, key));
  return ids;
}

// How a model is meant to generate may be said apart from its architecture, and then counts.
void read_generation_config(const std::filesystem::path& path, DecoderConfig& config) {
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_file(path);
  if (!json.is_object()) fail("{}: expected an object, got {}", path.string(), json.type_name());
  try {
    if (std::vector<std::int64_t> ids = read_token_ids(json, "eos_token_id"); !ids.empty()) {
      config.eos_token_ids = std::move(ids);
    }
  } catch (const Error& error) {
    fail("{}: {}", path.string(), error.what());
  }
}

void write_json(const std::filesystem::path& path, const nlohmann::json& json) {
  write_file(path, json.dump(2) + "\n");
}

DecoderConfig parse_config(const nlohmann::json& json, const Architecture& architecture) {
  nlohmann::json inner = json;
  for (const std::string_view key : kEnvelope) inner.erase(std::string(key));
  DecoderConfig config = architecture.read_config(inner);
  config.bos_token_id = read_token_id(json, "bos_token_id");
  config.eos_token_ids = read_token_ids(json, "eos_token_id");
  config.validate();
  return config;
}

const Architecture& read_architecture(const nlohmann::json& json) {
  if (!json.is_object()) fail("expected an object, got {}", json.type_name());
  const auto type = json.find("model_type");
  if (type == json.end() || !type->is_string()) fail("key 'model_type' is missing or no string");
  return find_architecture(type->get_ref<const std::string&>());
}

// Before memory is taken for what the config promises.
void check_size(const DecoderConfig& config, const SafetensorsReader& reader, const std::filesystem::path& folder) {
  const std::vector<std::int64_t> expected = {config.vocab_size, config.hidden_size};
  if (const auto found = reader.tensors().find(kEmbedding);
      found != reader.tensors().end() && found->second.shape != expected) {
    fail("{}: '{}' has the shape {}, but vocab_size={} and hidden_size={} of {}", folder.string(), kEmbedding,
         shape_text(found->second.shape), config.vocab_size, config.hidden_size, kConfigFile);
  }
  double stored = 0.0;
  for (const auto& [name, tensor] : reader.tensors()) stored += static_cast<double>(tensor.numel());
  const double least = parameters_without_routing(config);
  if (least > stored) {
    fail(
        "{}: {} describes a model of at least {:.0f} parameters, but the files hold {:.0f}: tensors are missing, or "
        "their shapes are not those of the config",
        folder.string(), kConfigFile, least, stored);
  }
}

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
  return names.size() > kMostNamed ? fmt::format("{} and {} more", text, names.size() - kMostNamed) : text;
}

// Tensors that hold nothing of their own: tables of RoPE that older writers saved, and the copy of a tied embedding.
bool may_be_ignored(const std::string& name, const DecoderConfig& config, const SafetensorsReader& reader) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  if (name != "lm_head.weight" || !config.tie_word_embeddings) return false;
  const std::span<const std::byte> copy = reader.tensors().at(name).bytes;
  const auto embedding = reader.tensors().find(kEmbedding);
  return embedding != reader.tensors().end() && std::ranges::equal(copy, embedding->second.bytes);
}

void check_names(const std::vector<StoredPiece>& pieces, const DecoderConfig& config, const SafetensorsReader& reader,
                 const std::filesystem::path& folder) {
  std::set<std::string> expected;
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  for (const StoredPiece& piece : pieces) {
    expected.insert(piece.name);
    if (!reader.contains(piece.name)) missing.push_back(piece.name);
  }
  for (const auto& [name, tensor] : reader.tensors()) {
    if (!expected.contains(name) && !may_be_ignored(name, config, reader)) extra.push_back(name);
  }
  if (!missing.empty()) fail("{}: the weights lack {}", folder.string(), some_of(missing));
  if (!extra.empty()) fail("{}: the model of {} has no place for {}", folder.string(), kConfigFile, some_of(extra));
}

}  // namespace

std::string expressible_model_type(const DecoderConfig& config) {
  return std::string(architecture_for(config).model_type);
}

void save_model(const Decoder& model, const std::filesystem::path& folder) {
  const DecoderConfig& config = model.config();
  const Architecture& architecture = architecture_for(config);
  nlohmann::json json = architecture.write_config(config);
  json["model_type"] = architecture.model_type;
  json["architectures"] = {architecture.class_name};
  json["torch_dtype"] = "float32";
  json["use_cache"] = true;
  json["bos_token_id"] = token_id(config.bos_token_id);
  json["eos_token_id"] = token_ids(config.eos_token_ids);
  write_json(folder / kConfigFile, json);
  write_json(folder / kGenerationFile, {{"_from_model_config", true},
                                        {"bos_token_id", token_id(config.bos_token_id)},
                                        {"eos_token_id", token_ids(config.eos_token_ids)}});
  std::vector<TensorToStore> tensors;
  for (StoredPiece& piece : stored_pieces(architecture, saved_parameters(model))) {
    tensors.push_back({std::move(piece.name), std::move(piece.shape), piece.values});
  }
  write_safetensors(folder / kWeightsFile, tensors);
}

std::unique_ptr<Decoder> load_model(const std::filesystem::path& folder) {
  const std::filesystem::path config_path = folder / kConfigFile;
  if (!std::filesystem::exists(config_path)) {
    fail("{}: no {} there; expected the folder of a model", folder.string(), kConfigFile);
  }
  const nlohmann::json json = read_json_file(config_path);
  const Architecture* architecture = nullptr;
  DecoderConfig config;
  try {
    architecture = &read_architecture(json);
    config = parse_config(json, *architecture);
  } catch (const Error& error) {
    fail("{}: {}", config_path.string(), error.what());
  }
  read_generation_config(folder / kGenerationFile, config);
  const SafetensorsReader reader(folder);
  check_size(config, reader, folder);
  std::unique_ptr<Decoder> model = Decoder::with_zeros(config);
  const std::vector<StoredPiece> pieces = stored_pieces(*architecture, saved_parameters(*model));
  check_names(pieces, config, reader, folder);
  for (const StoredPiece& piece : pieces) reader.read_f32(piece.name, piece.shape, piece.values);
  return model;
}

}  // namespace witan
