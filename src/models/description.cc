// The two JSON files of a model's folder.
#include "models/description.h"

#include <array>

#include "base/file.h"
#include "base/json.h"
#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/released_files.h"

namespace witan {
namespace {

// Keys that every config.json of ours carries around the architecture's own.
constexpr std::array<std::string_view, 7> kEnvelope = {
    "model_type", "architectures", "torch_dtype", "bos_token_id", "eos_token_id", "use_cache", "transformers_version"};

nlohmann::json token_id(std::int64_t id) { return id < 0 ? nlohmann::json() : nlohmann::json(id); }

// One id stands by itself, as readers that know no lists expect.
nlohmann::json token_ids(const std::vector<std::int64_t>& ids) {
  if (ids.empty()) return {};
  return ids.size() == 1 ? nlohmann::json(ids.front()) : nlohmann::json(ids);
}

// How a model is meant to generate may be said apart from its architecture, and then counts.
void read_generation_config(const std::filesystem::path& path, DecoderConfig& config) {
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  naming(path, [&] {
    if (std::vector<std::int64_t> ids = read_token_ids(json, "eos_token_id"); !ids.empty()) {
      config.eos_token_ids = std::move(ids);
    }
  });
}

void write_json(const std::filesystem::path& path, const nlohmann::json& json) {
  write_file(path, json.dump(2) + "\n");
}

DecoderConfig parse_config(const nlohmann::json& json, const Architecture& architecture) {
  nlohmann::json inner = json;
  for (const std::string_view key : kEnvelope) inner.erase(std::string(key));
  DecoderConfig config = architecture.read_config(inner);
  check_layer_types(inner, config);
  config.bos_token_id = read_token_id(json, "bos_token_id");
  config.eos_token_ids = read_token_ids(json, "eos_token_id");
  config.model_type = architecture.model_type;
  config.validate();
  return config;
}

}  // namespace

ModelDescription read_description(const std::filesystem::path& folder) {
  ModelDescription description{read_config_file(folder), nullptr, {}};
  naming(folder / kConfigFile, [&] {
    description.architecture = &find_architecture(model_type_of(description.json));
    description.config = parse_config(description.json, *description.architecture);
  });
  read_generation_config(folder / kGenerationFile, description.config);
  return description;
}

void write_description(const DecoderConfig& config, const Architecture& architecture, DType dtype,
                       const std::filesystem::path& folder) {
  nlohmann::json json = architecture.write_config(config);
  json["model_type"] = architecture.model_type;
  json["architectures"] = {architecture.class_name};
  json["torch_dtype"] = dtype == DType::kF32 ? "float32" : dtype == DType::kF16 ? "float16" : "bfloat16";
  json["use_cache"] = true;
  json["bos_token_id"] = token_id(config.bos_token_id);
  json["eos_token_id"] = token_ids(config.eos_token_ids);
  write_json(folder / kConfigFile, json);
  write_json(folder / kGenerationFile, {{"_from_model_config", true},
                                        {"bos_token_id", token_id(config.bos_token_id)},
                                        {"eos_token_id", token_ids(config.eos_token_ids)}});
}

}  // namespace witan
