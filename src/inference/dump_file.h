// Dumps on disk: written as safetensors, which other programs read and write too, and read back; also what a reference
// implementation says of a tiny checkpoint in an expected.json (tests/golden/checkpoints/README.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "inference/tensor_dump.h"

namespace witan {

// F32, indices (".topk_index") as I32; the tokens stand in the metadata. Whole or not at all.
void write_dump(const std::filesystem::path& file, const TensorDump& dump);

// A .safetensors file with tensors of F32, F16, BF16, I32 or I64, of which those with names of the graph come first, in
// its order; or a .json file: of the first prompt "logits", and of every mixture the choices and their weights. Of a
// decoder these are found by the number of their layer. Throws Error for files of another form.
TensorDump read_dump(const std::filesystem::path& file);

// The ids of tokens from "1,2,3". Throws Error beginning with `where`.
std::vector<std::int32_t> parse_token_ids(const std::string& where, const std::string& text);

}  // namespace witan
