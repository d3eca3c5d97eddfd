// What an architecture of a checkpoint on disk has to say: how its config.json and its tensors' names map to a decoder.
// Adding one is a short file beside this one and a line in table.cc; see docs/adding-an-architecture.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "models/decoder.h"
#include "models/tensor_rule.h"

namespace witan {

struct Architecture {
  std::string_view model_type;  // of config.json
  std::string_view class_name;  // Hugging Face's, for "architectures"
  std::string_view summary;     // one line
  // The keys of config.json, without the common envelope (model_type, token ids, dtype). Whatever the architecture
  // cannot say is left out: whether anything is lost shows when it is read back.
  nlohmann::json (*write_config)(const DecoderConfig& config);
  // The inverse. Throws Error for keys that are missing, out of bounds, or ask for what is not supported.
  DecoderConfig (*read_config)(const nlohmann::json& json);
  std::span<const TensorRule> tensors;        // whatever is not listed keeps its name
  std::string_view layers = "model.layers.";  // before a layer's number
  // Files may hold more layers than num_hidden_layers, which nobody asked for (multi-token prediction).
  bool has_extra_layers = false;
};

// In order of preference for saving.
std::span<const Architecture* const> architecture_table();
// Throws Error naming the known ones.
const Architecture& find_architecture(std::string_view model_type);

// Whether a decoder of this config computes, outside training, exactly what the architecture does with what it would
// write: a config that is written and read again must be equivalent (equivalence.h).
bool expresses(const Architecture& architecture, const DecoderConfig& config);
// The one the config was loaded as, or else the first of the table, that expresses the config.
const Architecture& architecture_for(const DecoderConfig& config);

}  // namespace witan
