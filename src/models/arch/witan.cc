// Witan's own: every option of a decoder, under its field's name. For routing that no released architecture expresses.
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"

namespace witan::native {
namespace {

nlohmann::json write_config(const DecoderConfig& config) {
  DecoderConfig copy = config;
  return copy.fields().to_json();
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.fields().set_all(json);
  std::set<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.insert(key);
  config.complete(keys);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {"witan",      "WitanForCausalLM", "Any decoder that Witan trains",
                                           write_config, read_config,        {}};

}  // namespace witan::native
