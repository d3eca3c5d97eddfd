// Weights in several files with an index, as released checkpoints of more than a few gigabytes have them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "formats/safetensors.h"

namespace witan {

// Into an existing folder: model.safetensors when all fit into `shard_bytes` of data, else
// model-00001-of-0000N.safetensors in the order given, each filled until the next tensor would not fit (a tensor that
// is larger has a file of its own), and model.safetensors.index.json. Throws Error when writing fails.
void write_sharded_safetensors(const std::filesystem::path& folder, std::span<const TensorToStore> tensors,
                               std::int64_t shard_bytes);

}  // namespace witan
