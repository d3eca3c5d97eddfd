// What an architecture of a checkpoint on disk has to say: how its config.json and its tensors' names map to a decoder.
// Adding one is a short file beside this one and a line in table.cc; see docs/adding-an-architecture.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/decoder.h"

namespace witan {

// A parameter of a layer under another name than Witan's. Both stand below "model.layers.N.".
struct TensorRule {
  std::string_view ours;    // "mlp.experts.up_proj", [E, F, D]
  std::string_view stored;  // "mlp.experts.{}.up_proj.weight": with {}, one tensor [F, D] per expert; without, all in
                            // one, where a bank of one expert is stored without its first dimension
};

struct Architecture {
  std::string_view model_type;  // of config.json
  std::string_view class_name;  // Hugging Face's, for "architectures"
  std::string_view summary;     // one line
  // Whether a decoder of this config computes, outside training, exactly what the architecture does.
  bool (*expresses)(const DecoderConfig& config);
  // The keys of config.json, without the common envelope (model_type, token ids, dtype).
  nlohmann::json (*write_config)(const DecoderConfig& config);
  // The inverse. Throws Error for keys that are missing, out of bounds, or ask for what is not supported.
  DecoderConfig (*read_config)(const nlohmann::json& json);
  std::span<const TensorRule> tensors;  // whatever is not listed keeps its name
};

// In order of preference for saving.
std::span<const Architecture* const> architecture_table();
// Throws Error naming the known ones.
const Architecture& find_architecture(std::string_view model_type);

// The first of the table that expresses the config.
const Architecture& architecture_for(const DecoderConfig& config);

extern const Architecture kMixtral;
extern const Architecture kOlmoe;
extern const Architecture kWitan;

}  // namespace witan
