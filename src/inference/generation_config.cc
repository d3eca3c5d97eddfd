// The keys that sampling knows, each by Hugging Face's name.
#include "inference/generation_config.h"

#include <algorithm>
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

}  // namespace

void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling) {
  const std::filesystem::path path = folder / kGenerationFile;
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  const auto take = [&](const char* key, const auto& store) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null() || chosen.contains(key)) return;
    store(*found, path.string() + ": " + key);
  };
  SamplingOptions asked = sampling;
  take("temperature", [&](const auto& value, const auto& where) { asked.temperature = number_of(value, where); });
  take("top_k", [&](const auto& value, const auto& where) {
    asked.top_k = static_cast<std::int64_t>(std::clamp(number_of(value, where), -1.0, 1e15));
    if (asked.top_k < 0) fail("{}: {} is negative", where, value.dump());
  });
  take("top_p", [&](const auto& value, const auto& where) { asked.top_p = number_of(value, where); });
  take("min_p", [&](const auto& value, const auto& where) { asked.min_p = number_of(value, where); });
  take("repetition_penalty",
       [&](const auto& value, const auto& where) { asked.repetition_penalty = number_of(value, where); });
  const bool greedy = json.value("do_sample", nlohmann::json(true)) == false;
  if (greedy && !chosen.contains("temperature")) asked.temperature = 0.0;
  naming(path, [&] { const Sampler valid(asked); });
  sampling = asked;
}

}  // namespace witan
