// Config, names, weights.
#include "models/encoder_decoder_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/suggest.h"
#include "models/arch/encoder_decoder_architecture.h"
#include "models/named_tensors.h"
#include "models/released_files.h"

namespace witan {
namespace {

const EncoderDecoderArchitecture& require_architecture(const nlohmann::json& json) {
  const std::string type = model_type_of(json);
  if (const EncoderDecoderArchitecture* found = find_encoder_decoder(type); found != nullptr) return *found;
  std::vector<std::string> known;
  for (const EncoderDecoderArchitecture* architecture : encoder_decoder_table()) {
    known.emplace_back(architecture->model_type);
  }
  fail("model_type '{}' is no encoder-decoder (known: {})", type, comma_list(known));
}

// What generation_config.json says counts before config.json.
void read_tokens(const nlohmann::json& json, EncoderDecoderConfig& config) {
  if (std::vector<std::int64_t> ends = read_token_ids(json, "eos_token_id"); !ends.empty()) {
    config.eos_token_ids = std::move(ends);
  }
  if (const std::int64_t start = read_token_id(json, "decoder_start_token_id"); start >= 0) {
    config.decoder_start_token_id = start;
  }
}

// Where the embedding may stand in the files, the usual place first.
std::vector<std::string> embedding_places(const EncoderDecoderNames& names, bool tied) {
  std::vector<std::string> places;
  for (const std::string_view place :
       {names.embedding, names.encoder.embedding_copy, names.decoder.embedding_copy, tied ? names.head : ""}) {
    if (!place.empty()) places.emplace_back(place);
  }
  return places;
}

// Throws Error for tensors that are no part of the model, other than repetitions of the embedding; the head of a tied
// model may hold any values, as in Transformers.
void check_unread(const EncoderDecoderNames& names, const std::vector<std::string>& places,
                  const NamedTensors& tensors) {
  std::vector<std::string> extra;
  for (const std::string& name : tensors.unread()) {
    if (!names.ignored_suffix.empty() && name.ends_with(names.ignored_suffix)) continue;
    const bool repeats = std::ranges::find(places, name) != places.end();
    if (repeats && tensors.same(name, std::string(names.embedding))) continue;
    if (repeats && name == names.head && tensors.same_shape(name, std::string(names.embedding))) continue;
    extra.push_back(name);
  }
  if (!extra.empty()) fail("the model of {} has no place for {}", kConfigFile, some_of(extra));
}

// What a folder says of its model besides the weights.
struct EncoderDecoderDescription {
  nlohmann::json json;
  EncoderDecoderNames names;
  EncoderDecoderConfig config;
};

EncoderDecoderDescription describe_encoder_decoder(const std::filesystem::path& folder) {
  EncoderDecoderDescription description{read_config_file(folder), {}, {}};
  naming(folder / kConfigFile, [&] {
    const EncoderDecoderArchitecture& architecture = require_architecture(description.json);
    description.names = architecture.names;
    description.config = architecture.read_config(description.json);
    description.config.model_type = architecture.model_type;
    read_tokens(description.json, description.config);
  });
  const std::filesystem::path generation = folder / kGenerationFile;
  if (std::filesystem::exists(generation)) {
    const nlohmann::json tokens = read_json_object(generation);
    naming(generation, [&] { read_tokens(tokens, description.config); });
  }
  naming(folder / kConfigFile, [&] { description.config.validate(); });
  return description;
}

}  // namespace

bool holds_encoder_decoder(const std::filesystem::path& folder) {
  const nlohmann::json json = read_config_file(folder);
  return naming(folder / kConfigFile, [&] { return find_encoder_decoder(model_type_of(json)) != nullptr; });
}

EncoderDecoderConfig load_encoder_decoder_config(const std::filesystem::path& folder) {
  return describe_encoder_decoder(folder).config;
}

std::unique_ptr<EncoderDecoder> load_encoder_decoder(const std::filesystem::path& folder) {
  const EncoderDecoderDescription description = describe_encoder_decoder(folder);
  const EncoderDecoderConfig& config = description.config;
  EncoderDecoderNames names = description.names;
  const WeightFiles files(folder, description.json);
  return naming(folder, [&] {
    NamedTensors tensors(files);
    const std::vector<std::string> places = embedding_places(names, config.tie_word_embeddings);
    const auto place = std::ranges::find_if(places, [&](const auto& name) { return tensors.contains(name); });
    if (place != places.end()) names.embedding = *place;
    auto model = std::make_unique<EncoderDecoder>(config, names, tensors);
    check_unread(names, places, tensors);
    return model;
  });
}

}  // namespace witan
