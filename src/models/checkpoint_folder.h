// A model as a Hugging Face directory: config.json, model.safetensors, generation_config.json; the tokenizer stands
// beside.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "formats/number_formats.h"
#include "models/decoder.h"

namespace witan {

class StoredWeights;  // stored_weights.h

// The released architecture that computes exactly what this config does outside training ("mixtral", "olmoe"): the one
// it was loaded as, if that still fits; else "witan". What only training reads (coefficients of balance terms, capacity
// in training, jitter) is no part of a released config and is not saved there.
std::string expressible_model_type(const DecoderConfig& config);
// Fills an existing folder (the caller makes it atomic). Weights are stored as F32, F16 or BF16. Throws Error when
// writing fails.
void save_model(const Decoder& model, const std::filesystem::path& folder, DType dtype = DType::kF32);
// What config.json and generation_config.json say. Throws Error as load_model does for these two and, where weights
// stand beside them, for files that hold less than the config promises. No weights are read, and there need be none.
DecoderConfig load_config(const std::filesystem::path& folder);
// Weights of f32, f16, bf16, F8_E4M3 with scales of blocks, or MXFP4, in one file or in shards. Throws Error: no
// config.json, unknown model_type (known ones named), a key that is missing or asks for what is not supported, an
// unknown key in a `witan` config (released ones may carry others), missing, extra or misshapen tensors. Nothing is
// allocated for a config that its files do not fill.
// bf16 and f16 weights take half the memory and are for inference, see Decoder::with_zeros; those stored otherwise are
// rounded. Throws Error for a number that is too large for f16.
std::unique_ptr<Decoder> load_model(const std::filesystem::path& folder, Precision weights = Precision::kF32);
// From files that are open already.
std::unique_ptr<Decoder> load_model(const StoredWeights& stored, Precision weights);
// The same by what config.json says of the weights ("torch_dtype" or "dtype"), of a folder without any.
Precision stated_precision(const std::filesystem::path& folder);
// Into a decoder whose config may differ from the folder's in whatever no tensor depends on (balance terms), and in the
// router: what the new one holds and the folder does not stays as it is in `model`, what the old one held is left.
// Throws Error as load_model does, and for a decoder with other tensors or shapes.
void load_weights(const std::filesystem::path& folder, Decoder& model);
// How the weights may be held without loss: bf16 or f16 when all of them are stored so, but for a hundredth at the most
// (gates, norms and biases are held as f32 anyway); else f32. Tensors that are no part of the model do not count. Reads
// the headers alone; throws Error as load_config does, and when there are none.
Precision lossless_precision(const std::filesystem::path& folder);
Precision lossless_precision(const StoredWeights& stored);

}  // namespace witan
