// Saving and loading of model directories.
#include "models/checkpoint_folder.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/safetensors.h"
#include "models/arch/architecture.h"
#include "models/description.h"
#include "models/outline.h"
#include "models/released_files.h"
#include "models/stored_weights.h"

namespace witan {
namespace {

std::vector<Parameter> stored_parameters(const Decoder& model) {
  std::vector<Parameter> all = model.parameters();
  const std::vector<Parameter> buffers = model.buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
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

void fill_model(const StoredWeights& weights, Decoder& model) {
  const std::vector<StoredPiece> pieces = weights.pieces(stored_parameters(model));
  weights.check_names(pieces, StoredWeights::Extras::kRefuse);
  for (const StoredPiece& piece : pieces) weights.read(piece);
}

}  // namespace

std::string expressible_model_type(const DecoderConfig& config) {
  return std::string(architecture_for(config).model_type);
}

void save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype) {
  if (!is_plain_float(dtype)) fail("{}: weights are saved as F32, F16 or BF16", folder.string());
  const DecoderConfig& config = model.config();
  const Architecture& architecture = architecture_for(config);
  write_description(config, architecture, dtype, folder);
  std::vector<TensorToStore> tensors;
  for (const StoredPiece& piece : stored_pieces(architecture.tensors, architecture.layers, stored_parameters(model))) {
    tensors.push_back(to_store(piece, dtype));
  }
  write_safetensors(folder / kWeightsFile, tensors);
}

DecoderConfig load_config(const std::filesystem::path& folder) {
  return has_weights(folder) ? StoredWeights(folder).config() : read_description(folder).config;
}

std::unique_ptr<Decoder> load_model(const std::filesystem::path& folder, Precision weights) {
  return load_model(StoredWeights(folder), weights);
}

std::unique_ptr<Decoder> load_model(const StoredWeights& stored, Precision weights) {
  std::unique_ptr<Decoder> model = Decoder::with_zeros(stored.config(), weights);
  fill_model(stored, *model);
  return model;
}

Precision lossless_precision(const std::filesystem::path& folder) { return lossless_precision(StoredWeights(folder)); }

Precision stated_precision(const std::filesystem::path& folder) {
  const nlohmann::json config = read_config_file(folder);
  for (const char* key : {"dtype", "torch_dtype"}) {
    const nlohmann::json stated = config.value(key, nlohmann::json());
    if (stated == "bfloat16") return Precision::kBF16;
    if (stated == "float16") return Precision::kF16;
  }
  return Precision::kF32;
}

Precision lossless_precision(const StoredWeights& stored) {
  double all = 0.0;
  double bf16 = 0.0;
  double f16 = 0.0;
  for (const auto& [name, tensor] : stored.reader().tensors()) {
    if (stored.may_be_ignored(name)) continue;
    const auto values = static_cast<double>(tensor.bytes.size()) / static_cast<double>(dtype_bytes(tensor.dtype));
    all += values;
    // MXFP4 is stored as bytes: four bits times a power of two are exact in bf16.
    if (tensor.dtype == DType::kBF16 || tensor.dtype == DType::kU8) bf16 += values;
    if (tensor.dtype == DType::kF16) f16 += values;
  }
  if (bf16 > 0.99 * all) return Precision::kBF16;
  return f16 > 0.99 * all ? Precision::kF16 : Precision::kF32;
}

void load_weights(const std::filesystem::path& folder, Decoder& model) {
  const StoredWeights weights(folder);
  if (weights.config().moe.router == model.config().moe.router) return fill_model(weights, model);
  std::set<std::string> fresh;
  for (ParameterOutline& outline : routing_outline(model.config())) fresh.insert(std::move(outline.name));
  std::vector<StoredPiece> pieces = weights.pieces(stored_parameters(model));
  std::erase_if(pieces, [&](const StoredPiece& piece) {
    const auto is_fresh = [&](const StoredPiece::Part& part) { return fresh.contains(part.parameter); };
    return !weights.holds(piece) && std::ranges::all_of(piece.parts(), is_fresh);
  });
  weights.check_names(pieces, StoredWeights::Extras::kRefuse, weights.pieces(routing_outline(weights.config())));
  for (const StoredPiece& piece : pieces) weights.read(piece);
}

}  // namespace witan
