// The keys that sampling knows, each by Hugging Face's name.
#include "inference/generation_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "models/released_files.h"

namespace witan {
namespace {

double number_of(const nlohmann::json& json, const std::string& where) {
  if (!json.is_number()) fail("{}: expected a number, got {}", where, json.type_name());
  return json.get<double>();
}

constexpr double kMostCounted = 1 << 30;

std::int64_t count_of(const nlohmann::json& json, const std::string& where, std::int64_t least) {
  const double value = number_of(json, where);
  if (!(value >= static_cast<double>(least) && value <= kMostCounted) || value != std::floor(value)) {
    fail("{}: {}, expected a whole number between {} and {:.0f}", where, json.dump(), least, kMostCounted);
  }
  return static_cast<std::int64_t>(value);
}

// Calls store(value, where) for a key that is there, unless the user chose its field.
template <class Store>
bool take_key(const nlohmann::json& json, const std::string& path, const std::set<std::string>& chosen, const char* key,
              const char* field, const Store& store) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null() || chosen.contains(field)) return false;
  store(*found, path + ": " + key);
  return true;
}

// What changes the logits, whether or not tokens are drawn.
void read_restraints(const nlohmann::json& json, const std::string& path, const std::set<std::string>& chosen,
                     SamplingOptions& sampling) {
  take_key(json, path, chosen, "repetition_penalty", "repetition_penalty",
           [&](const auto& value, const auto& where) { sampling.repetition_penalty = number_of(value, where); });
  take_key(json, path, chosen, "no_repeat_ngram_size", "no_repeat_ngram_size",
           [&](const auto& value, const auto& where) { sampling.no_repeat_ngram_size = count_of(value, where, 0); });
  naming(path, [&] {
    for (const auto& [key, tokens] : {std::pair("suppress_tokens", &sampling.suppress_tokens),
                                      std::pair("begin_suppress_tokens", &sampling.begin_suppress_tokens)}) {
      const std::vector<std::int64_t> ids = read_token_ids(json, key);
      if (!ids.empty()) tokens->assign(ids.begin(), ids.end());
    }
  });
}

void read_drawing(const nlohmann::json& json, const std::string& path, const std::set<std::string>& chosen,
                  SamplingOptions& sampling) {
  const auto take = [&](const char* key, const auto& store) { take_key(json, path, chosen, key, key, store); };
  take("temperature", [&](const auto& value, const auto& where) { sampling.temperature = number_of(value, where); });
  take("top_k", [&](const auto& value, const auto& where) {
    sampling.top_k = static_cast<std::int64_t>(std::clamp(number_of(value, where), -1.0, 1e15));
    if (sampling.top_k < 0) fail("{}: {} is negative", where, value.dump());
  });
  take("top_p", [&](const auto& value, const auto& where) { sampling.top_p = number_of(value, where); });
  take("min_p", [&](const auto& value, const auto& where) { sampling.min_p = number_of(value, where); });
}

bool wants_drawing(const std::set<std::string>& chosen) {
  return chosen.contains("top_k") || chosen.contains("top_p") || chosen.contains("min_p");
}

std::vector<std::string> stop_strings_of(const nlohmann::json& json, const std::string& where) {
  std::vector<std::string> texts;
  for (const nlohmann::json& text : json.is_array() ? json : nlohmann::json::array({json})) {
    if (!text.is_string() || text.get_ref<const std::string&>().empty()) {
      fail("{}: {}, expected a text or a list of texts", where, json.dump());
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

EarlyStopping early_stopping_of(const nlohmann::json& json, const std::string& where) {
  if (json.is_boolean()) return json.get<bool>() ? EarlyStopping::kYes : EarlyStopping::kNo;
  if (json != "never") fail("{}: {}, expected true, false or \"never\"", where, json.dump());
  return EarlyStopping::kNever;
}

void read_output_keys(const nlohmann::json& json, const std::string& path, const std::set<std::string>& chosen,
                      TranslationOptions& options) {
  const auto take = [&](const char* key, const char* field, const auto& store) {
    return take_key(json, path, chosen, key, field, store);
  };
  BeamOptions& beams = options.beams;
  take("num_beams", "beams", [&](const auto& value, const auto& where) { beams.beams = count_of(value, where, 1); });
  take("length_penalty", "length_penalty",
       [&](const auto& value, const auto& where) { beams.length_penalty = number_of(value, where); });
  take("early_stopping", "early_stopping",
       [&](const auto& value, const auto& where) { beams.early_stopping = early_stopping_of(value, where); });
  const bool said = take("max_new_tokens", "max_tokens",
                         [&](const auto& value, const auto& where) { options.max_tokens = count_of(value, where, 1); });
  if (!said) {
    take("max_length", "max_tokens",
         [&](const auto& value, const auto& where) { options.max_tokens = count_of(value, where, 2) - 1; });
  }
  naming(path, [&] {
    if (const std::int64_t first = read_token_id(json, "forced_bos_token_id"); first >= 0) {
      options.first_token = static_cast<std::int32_t>(first);
    }
  });
}

}  // namespace

void read_translation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                               SamplingOptions& sampling, TranslationOptions& options) {
  const std::filesystem::path generation = folder / kGenerationFile;
  const bool there = std::filesystem::exists(generation);
  const std::filesystem::path path = there ? generation : folder / kConfigFile;
  const nlohmann::json json = read_json_object(path);
  TranslationOptions asked = options;
  read_output_keys(json, path.string(), chosen, asked);
  SamplingOptions drawn = sampling;
  read_restraints(json, path.string(), chosen, drawn);
  if (there && json.value("do_sample", nlohmann::json()) == true) {
    read_drawing(json, path.string(), chosen, drawn);
  } else if (!chosen.contains("temperature")) {
    drawn.temperature = wants_drawing(chosen) ? 1.0 : 0.0;
  }
  naming(path, [&] { const Sampler valid(drawn); });
  if (drawn.temperature > 0.0 && !chosen.contains("beams")) asked.beams.beams = 1;
  sampling = drawn;
  options = asked;
}

void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling) {
  const std::filesystem::path path = folder / kGenerationFile;
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  SamplingOptions asked = sampling;
  read_restraints(json, path.string(), chosen, asked);
  read_drawing(json, path.string(), chosen, asked);
  const nlohmann::json draws = json.value("do_sample", nlohmann::json(true));
  if (!draws.is_boolean() && !draws.is_null()) {
    fail("{}: do_sample: {}, expected true or false", path.string(), draws.dump());
  }
  if (draws == false && !chosen.contains("temperature") && !wants_drawing(chosen)) asked.temperature = 0.0;
  naming(path, [&] { const Sampler valid(asked); });
  sampling = asked;
}

void read_generation_ends(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                          GenerationOptions& options) {
  const std::filesystem::path path = folder / kGenerationFile;
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  const auto take = [&](const char* key, const char* field, const auto& store) {
    return take_key(json, path.string(), chosen, key, field, store);
  };
  GenerationOptions asked = options;
  const bool said = take("max_new_tokens", "max_tokens",
                         [&](const auto& value, const auto& where) { asked.max_tokens = count_of(value, where, 1); });
  if (!said) {
    take("max_length", "max_tokens",
         [&](const auto& value, const auto& where) { asked.max_length = count_of(value, where, 1); });
  }
  take("stop_strings", "stop_strings",
       [&](const auto& value, const auto& where) { asked.stop_strings = stop_strings_of(value, where); });
  options = asked;
}

}  // namespace witan
