// Saving and loading of model directories.
#include "models/checkpoint_folder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "formats/safetensors.h"
#include "formats/stored_values.h"
#include "models/arch/architecture.h"
#include "models/parameter_counts.h"
#include "models/released_files.h"
#include "models/stored_pieces.h"

namespace witan {
namespace {

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kEmbedding = "model.embed_tokens.weight";

// Keys that every config.json of ours carries around the architecture's own.
constexpr std::array<std::string_view, 7> kEnvelope = {
    "model_type", "architectures", "torch_dtype", "bos_token_id", "eos_token_id", "use_cache", "transformers_version"};

std::vector<StoredPiece> pieces_of(const Architecture& architecture, const Decoder& model) {
  std::vector<Parameter> all = model.parameters();
  const std::vector<Parameter> buffers = model.buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return stored_pieces(architecture.tensors, architecture.layers, all);
}

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
  config.bos_token_id = read_token_id(json, "bos_token_id");
  config.eos_token_ids = read_token_ids(json, "eos_token_id");
  config.model_type = architecture.model_type;
  config.validate();
  return config;
}

// Before memory is taken for what the config promises.
void check_size(const DecoderConfig& config, const Architecture& architecture, const SafetensorsReader& reader,
                const StoredValues& values, const std::filesystem::path& folder) {
  const std::vector<std::int64_t> expected = {config.vocab_size, config.hidden_size};
  const std::string embedding = stored_name(architecture.tensors, architecture.layers, kEmbedding);
  if (const auto found = reader.tensors().find(embedding);
      found != reader.tensors().end() && found->second.shape != expected) {
    fail("{}: '{}' has the shape {}, but vocab_size={} and hidden_size={} of {}", folder.string(), embedding,
         shape_text(found->second.shape), config.vocab_size, config.hidden_size, kConfigFile);
  }
  const double stored = values.count();
  const double least = parameters_without_routing(config);
  if (least > stored) {
    fail(
        "{}: {} describes a model of at least {:.0f} parameters, but the files hold {:.0f}: tensors are missing, or "
        "their shapes are not those of the config",
        folder.string(), kConfigFile, least, stored);
  }
}

// "model.layers.61.embed_tokens.weight" with "model.layers." -> 61; -1: no layer.
std::int64_t layer_of(std::string_view name, std::string_view layers) {
  if (!name.starts_with(layers)) return -1;
  name.remove_prefix(layers.size());
  std::int64_t layer = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

// Tensors that hold nothing of the model: tables of RoPE that older writers saved, the copy of a tied embedding, and
// layers for multi-token prediction.
bool may_be_ignored(const std::string& name, const DecoderConfig& config, const Architecture& architecture,
                    const SafetensorsReader& reader) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  if (architecture.has_extra_layers && layer_of(name, architecture.layers) >= config.num_hidden_layers) return true;
  if (name != "lm_head.weight" || !config.tie_word_embeddings) return false;
  const std::span<const std::byte> copy = reader.tensors().at(name).bytes;
  const auto embedding = reader.tensors().find(stored_name(architecture.tensors, architecture.layers, kEmbedding));
  return embedding != reader.tensors().end() && std::ranges::equal(copy, embedding->second.bytes);
}

void check_names(const std::vector<StoredPiece>& pieces, const DecoderConfig& config, const Architecture& architecture,
                 const SafetensorsReader& reader, const StoredValues& values, const std::filesystem::path& folder) {
  std::set<std::string> expected;
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  for (const StoredPiece& piece : pieces) {
    for (std::string& part : values.parts(piece.name)) {
      if (!reader.contains(part)) missing.push_back(part);
      expected.insert(std::move(part));
    }
  }
  for (const auto& [name, tensor] : reader.tensors()) {
    if (!expected.contains(name) && !may_be_ignored(name, config, architecture, reader)) extra.push_back(name);
  }
  if (!missing.empty()) fail("{}: the weights lack {}", folder.string(), some_of(missing));
  if (!extra.empty()) fail("{}: the model of {} has no place for {}", folder.string(), kConfigFile, some_of(extra));
}

void read_piece(const StoredPiece& piece, const StoredValues& values) {
  // Packed formats keep the rows of a product together, whatever the layout of the plain tensor is.
  const bool packed = values.is_mxfp4(piece.name);
  const std::vector<std::int64_t> shape = packed ? piece.plain_shape() : piece.shape;
  if (const std::span<float> place = piece.in_place(packed); !place.empty()) {
    values.read(piece.name, shape, 0, 1, place);
    return;
  }
  PooledVector<float> bank(static_cast<std::size_t>(piece.bank_size()));
  for (std::int64_t i = 0; i < piece.banks(); ++i) {
    values.read(piece.name, shape, i, piece.banks(), bank);
    piece.scatter(i, bank, packed);
  }
}

TensorToStore to_store(const StoredPiece& piece, DType dtype) {
  TensorToStore tensor{piece.name, piece.shape, piece.in_place(false), dtype};
  if (!tensor.values.empty()) return tensor;
  tensor.fill = [piece](std::span<float> out) {
    const auto size = static_cast<std::size_t>(piece.bank_size());
    for (std::int64_t bank = 0; bank < piece.banks(); ++bank) {
      piece.gather(bank, out.subspan(static_cast<std::size_t>(bank) * size, size));
    }
  };
  return tensor;
}

// What a folder says of its model besides the weights.
struct Description {
  nlohmann::json json;
  const Architecture* architecture = nullptr;
  DecoderConfig config;
};

Description read_description(const std::filesystem::path& folder) {
  Description description{read_config_file(folder), nullptr, {}};
  naming(folder / kConfigFile, [&] {
    description.architecture = &find_architecture(model_type_of(description.json));
    description.config = parse_config(description.json, *description.architecture);
  });
  read_generation_config(folder / kGenerationFile, description.config);
  return description;
}

}  // namespace

std::string expressible_model_type(const DecoderConfig& config) {
  return std::string(architecture_for(config).model_type);
}

void save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype) {
  if (!is_plain_float(dtype)) fail("{}: weights are saved as F32, F16 or BF16", folder.string());
  const DecoderConfig& config = model.config();
  const Architecture& architecture = architecture_for(config);
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
  std::vector<TensorToStore> tensors;
  for (const StoredPiece& piece : pieces_of(architecture, model)) tensors.push_back(to_store(piece, dtype));
  write_safetensors(folder / kWeightsFile, tensors);
}

DecoderConfig load_config(const std::filesystem::path& folder) { return read_description(folder).config; }

std::unique_ptr<Decoder> load_model(const std::filesystem::path& folder, Precision weights) {
  const auto [json, architecture, config] = read_description(folder);
  const SafetensorsReader reader(folder);
  const StoredValues values = naming(folder / kConfigFile, [&] { return stored_values(json, reader); });
  check_size(config, *architecture, reader, values, folder);
  std::unique_ptr<Decoder> model = Decoder::with_zeros(config, weights);
  const std::vector<StoredPiece> pieces = pieces_of(*architecture, *model);
  check_names(pieces, config, *architecture, reader, values, folder);
  for (const StoredPiece& piece : pieces) read_piece(piece, values);
  return model;
}

Precision lossless_precision(const std::filesystem::path& folder) {
  const SafetensorsReader reader(folder);
  double brief = 0.0;
  double others = 0.0;
  for (const auto& [name, tensor] : reader.tensors()) {
    const auto bytes = static_cast<double>(tensor.bytes.size());
    (tensor.dtype == DType::kBF16 ? brief : others) += bytes / static_cast<double>(dtype_bytes(tensor.dtype));
  }
  return brief > 99.0 * others ? Precision::kBF16 : Precision::kF32;
}

}  // namespace witan
