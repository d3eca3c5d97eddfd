// The keys that sampling knows, each by Hugging Face's name.
#include "inference/generation_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace witan {
namespace {

constexpr const char* kFile = "generation_config.json";

double number_of(const nlohmann::json& json, const std::string& where) {
  if (!json.is_number()) fail("{}: expected a number, got {}", where, json.type_name());
  return json.get<double>();
}

}  // namespace

void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling) {
  const std::filesystem::path path = folder / kFile;
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_file(path);
  if (!json.is_object()) fail("{}: expected an object, got {}", path.string(), json.type_name());
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
  try {
    const Sampler valid(asked);
  } catch (const Error& error) {
    fail("{}: {}", path.string(), error.what());
  }
  sampling = asked;
}

}  // namespace witan
