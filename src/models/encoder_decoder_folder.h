// An encoder-decoder from a released Hugging Face directory: config.json, generation_config.json and safetensors. Read
// only: decoders are what is trained and saved (checkpoint_folder.h).
#pragma once

#include <filesystem>
#include <memory>

#include "models/encoder_decoder.h"

namespace witan {

// Whether the folder's config.json names an encoder-decoder of the table. Throws Error when there is no such file, or
// it is no config.
bool holds_encoder_decoder(const std::filesystem::path& folder);

// What config.json and generation_config.json say, without the weights. Throws Error as load_encoder_decoder does for
// these two.
EncoderDecoderConfig load_encoder_decoder_config(const std::filesystem::path& folder);

// Throws Error: no config.json, a model_type that is no encoder-decoder, a key that is missing or asks for what is not
// supported, missing, extra or misshapen tensors. Nothing is allocated for a config that its files do not fill. Files
// may repeat the embedding under the names of the stacks and, when tied, of the head, if it is the same there.
std::unique_ptr<EncoderDecoder> load_encoder_decoder(const std::filesystem::path& folder);

}  // namespace witan
