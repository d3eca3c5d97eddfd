// Names, sizes and values of stored weights.
#include "models/stored_weights.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/pool.h"
#include "models/arch/architecture.h"
#include "models/outline.h"
#include "models/parameter_counts.h"

namespace witan {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";

// Of a config that promises more than the files hold, one that promises no more than this many times as much may be
// right: its tensors are asked for by their names, in memory of the order of the files'.
constexpr double kPlausible = 2.0;

std::vector<std::string> lacking(std::span<const StoredPiece> pieces, const WeightFiles& files) {
  std::vector<std::string> missing;
  for (const StoredPiece& piece : pieces) {
    for (std::string& part : files.values().parts(piece.name)) {
      if (!files.reader().contains(part)) missing.push_back(std::move(part));
    }
  }
  return missing;
}

// By name, unless the config has far more of them than the files hold tensors, or numbers that could be theirs.
std::vector<std::string> missing_tensors(const DecoderConfig& config, const Architecture& architecture,
                                         const WeightFiles& files) {
  const double per_expert = config.moe.expert_bias ? 6.0 : 3.0;
  const double names =
      static_cast<double>(config.num_hidden_layers) * (per_expert * static_cast<double>(config.moe.num_experts) + 32.0);
  const double most =
      4096.0 + 2.0 * static_cast<double>(files.reader().tensors().size()) + files.values().count() / 1024.0;
  if (names > most) return {};
  const std::vector<ParameterOutline> outline = decoder_outline(config);
  return lacking(stored_pieces(architecture.tensors, architecture.layers, std::span(outline)), files);
}

void fail_lacking(const std::vector<std::string>& missing, const std::filesystem::path& folder) {
  if (!missing.empty()) fail("{}: the weights lack {}", folder.string(), some_of(missing));
}

// Before memory is taken for what the config promises.
void check_size(const DecoderConfig& config, const Architecture& architecture, const WeightFiles& files,
                const std::filesystem::path& folder) {
  const std::vector<std::int64_t> expected = {config.vocab_size, config.hidden_size};
  const std::string embedding = stored_name(architecture.tensors, architecture.layers, kEmbedding);
  if (const auto found = files.reader().tensors().find(embedding);
      found != files.reader().tensors().end() && found->second.shape != expected) {
    fail("{}: '{}' has the shape {}, but vocab_size={} and hidden_size={} of {}", folder.string(), embedding,
         shape_text(found->second.shape), config.vocab_size, config.hidden_size, kConfigFile);
  }
  const double stored = files.values().count();
  const double least = parameters_without_routing(config);
  const auto fail_for_size = [&] {
    fail(
        "{}: {} describes a model of at least {:.0f} parameters, but the files hold {:.0f}: tensors are missing, or "
        "their shapes are not those of the config",
        folder.string(), kConfigFile, least, stored);
  };
  if (least > kPlausible * stored) fail_for_size();
  if (naming(folder / kConfigFile, [&] { return numbers_of_routing(config, stored); }) > stored) {
    fail("{}: {} describes gates or routers that are larger than all the {:.0f} numbers that the files hold",
         folder.string(), kConfigFile, stored);
  }
  if (least > stored) {
    fail_lacking(missing_tensors(config, architecture, files), folder);
    fail_for_size();
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

}  // namespace

StoredWeights::StoredWeights(const std::filesystem::path& folder)
    : folder_(folder), description_(read_description(folder)), files_(folder, description_.json) {
  check_size(config(), architecture(), files_, folder);
}

void StoredWeights::check_complete() const { fail_lacking(missing_tensors(config(), architecture(), files_), folder_); }

std::vector<StoredPiece> StoredWeights::pieces(const std::vector<Parameter>& parameters) const {
  return stored_pieces(architecture().tensors, architecture().layers, parameters);
}

std::vector<StoredPiece> StoredWeights::pieces(std::span<const ParameterOutline> parameters) const {
  return stored_pieces(architecture().tensors, architecture().layers, parameters);
}

// Tensors that hold nothing of the model: tables of RoPE that older writers saved, layers for multi-token prediction,
// and the head of a tied model, whatever its values are: the embedding counts, as in Transformers.
bool StoredWeights::may_be_ignored(const std::string& name) const {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  if (architecture().has_extra_layers && layer_of(name, architecture().layers) >= config().num_hidden_layers) {
    return true;
  }
  if (name != "lm_head.weight" || !config().tie_word_embeddings) return false;
  const auto& tensors = files_.reader().tensors();
  const auto embedding = tensors.find(stored_name(architecture().tensors, architecture().layers, kEmbedding));
  return embedding != tensors.end() && tensors.at(name).shape == embedding->second.shape;
}

bool StoredWeights::holds(const StoredPiece& piece) const { return lacking({&piece, 1}, files_).empty(); }

void StoredWeights::check_names(std::span<const StoredPiece> pieces, Extras extras,
                                std::span<const StoredPiece> others) const {
  fail_lacking(lacking(pieces, files_), folder_);
  if (extras == Extras::kAllow) return;
  std::set<std::string> expected;
  for (const auto& allowed : {pieces, others}) {
    for (const StoredPiece& piece : allowed) {
      for (std::string& part : files_.values().parts(piece.name)) expected.insert(std::move(part));
    }
  }
  std::vector<std::string> extra;
  for (const auto& [name, tensor] : files_.reader().tensors()) {
    if (!expected.contains(name) && !may_be_ignored(name)) extra.push_back(name);
  }
  if (!extra.empty()) fail("{}: the model of {} has no place for {}", folder_.string(), kConfigFile, some_of(extra));
}

void StoredWeights::read(const StoredPiece& piece) const {
  // Packed formats keep the rows of a product together, whatever the layout of the plain tensor is.
  const bool packed = files_.values().is_mxfp4(piece.name);
  const std::vector<std::int64_t> shape = packed ? piece.plain_shape() : piece.shape;
  if (const std::span<float> place = piece.in_place(packed); !place.empty()) {
    files_.values().read(piece.name, shape, 0, 1, place);
    return;
  }
  PooledVector<float> bank(static_cast<std::size_t>(piece.bank_size()));
  for (std::int64_t i = 0; i < piece.banks(); ++i) {
    files_.values().read(piece.name, shape, i, piece.banks(), bank);
    if (piece.is_f16()) naming(folder_, [&] { require_f16(piece.name, bank); });
    piece.scatter(i, bank, packed);
  }
}

StoredParameters::StoredParameters(const StoredWeights& weights, std::vector<ParameterOutline> parameters,
                                   StoredWeights::Extras extras)
    : weights_(weights), pieces_(weights.pieces(parameters)) {
  weights.check_names(pieces_, extras);
  for (ParameterOutline& parameter : parameters) {
    std::string name = parameter.name;
    places_[std::move(name)].outline = std::move(parameter);
  }
  for (std::size_t piece = 0; piece < pieces_.size(); ++piece) {
    const std::vector<StoredPiece::Part> parts = pieces_[piece].parts();
    for (std::size_t part = 0; part < parts.size(); ++part) {
      places_.at(parts[part].parameter).locations.push_back({piece, part});
    }
  }
}

const StoredParameters::Place& StoredParameters::place_of(const std::string& parameter) const {
  const auto found = places_.find(parameter);
  if (found == places_.end()) fail("{}: the model has no parameter '{}'", weights_.folder().string(), parameter);
  return found->second;
}

DType StoredParameters::dtype(const std::string& parameter) const {
  const std::string& name = pieces_[place_of(parameter).locations.front().piece].name;
  if (weights_.files_.values().is_mxfp4(name)) return DType::kBF16;
  const DType dtype = weights_.files_.reader().tensor(name).dtype;
  return is_plain_float(dtype) ? dtype : DType::kBF16;
}

void StoredParameters::read(const std::string& parameter, std::int64_t bank, std::span<float> out) const {
  const Place& place = place_of(parameter);
  const std::int64_t size = place.outline.shape.numel() / num_banks(place.outline);
  WITAN_ASSERT(static_cast<std::int64_t>(out.size()) == size);
  for (const Location& location : place.locations) {
    const StoredPiece& piece = pieces_[location.piece];
    const StoredPiece::Part part = piece.parts()[location.part];
    const std::int64_t together = part.bank_size / size;  // banks that the file does not tell apart
    const std::int64_t slices = piece.banks() * together;
    const std::int64_t slice = bank - part.first_bank * together;
    if (slice < 0 || slice >= slices) continue;
    const bool packed = weights_.files_.values().is_mxfp4(piece.name);
    const std::vector<std::int64_t> shape = packed ? piece.plain_shape() : piece.shape;
    if (piece.is_verbatim(packed)) {
      weights_.files_.values().read(piece.name, shape, slice, slices, out);
      return;
    }
    WITAN_ASSERT(together == 1);
    PooledVector<float> stored(static_cast<std::size_t>(piece.bank_size()));
    weights_.files_.values().read(piece.name, shape, slice, slices, stored);
    piece.scatter_part(location.part, stored, packed, out);
    return;
  }
  throw_bug("a bank of every parameter is stored", __FILE__, __LINE__);
}

}  // namespace witan
