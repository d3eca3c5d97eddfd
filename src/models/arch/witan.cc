// Witan's own: every option of a decoder, under its field's name. For routing that no released architecture expresses.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"

namespace witan {
namespace {

constexpr std::array kTensors = {
    TensorRule{"mlp.gate_proj", "mlp.gate_proj.weight"},
    TensorRule{"mlp.up_proj", "mlp.up_proj.weight"},
    TensorRule{"mlp.down_proj", "mlp.down_proj.weight"},
    TensorRule{"mlp.shared_expert.gate_proj", "mlp.shared_expert.gate_proj.weight"},
    TensorRule{"mlp.shared_expert.up_proj", "mlp.shared_expert.up_proj.weight"},
    TensorRule{"mlp.shared_expert.down_proj", "mlp.shared_expert.down_proj.weight"},
};

bool expresses(const DecoderConfig& /*config*/) { return true; }

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

const Architecture kWitan = {
    "witan", "WitanForCausalLM", "Any decoder that Witan trains", expresses, write_config, read_config, kTensors};

}  // namespace witan
