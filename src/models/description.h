// What a model's folder says of its model besides the weights: config.json and generation_config.json, read and
// written.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "formats/number_formats.h"
#include "models/config.h"

namespace witan {

struct Architecture;

struct ModelDescription {
  nlohmann::json json;  // config.json
  const Architecture* architecture = nullptr;
  DecoderConfig config;
};

// Throws Error as load_config does.
ModelDescription read_description(const std::filesystem::path& folder);

// Both files. dtype: what most weights are stored as, for readers that ask.
void write_description(const DecoderConfig& config, const Architecture& architecture, DType dtype,
                       const std::filesystem::path& folder);

}  // namespace witan
