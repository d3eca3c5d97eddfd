// A model as a Hugging Face directory: config.json, model.safetensors, generation_config.json; the tokenizer stands
// beside.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/decoder.h"

namespace witan {

// The released architecture that can express this routing exactly ("mixtral", "olmoe"), else "witan".
std::string expressible_model_type(const DecoderConfig& config);
// Fills an existing folder (the caller makes it atomic). Throws Error when writing fails.
void save_model(const Decoder& model, const std::filesystem::path& folder);
// Throws Error: no config.json, unknown model_type (known ones named), missing, extra or misshapen tensors.
std::unique_ptr<Decoder> load_model(const std::filesystem::path& folder);

}  // namespace witan
