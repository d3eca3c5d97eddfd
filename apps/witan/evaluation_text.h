// Text that a model is measured on: `witan eval` and `witan inspect`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "training/dataset.h"
#include "training/settings.h"

namespace witan::cli {

// What `witan train` was run with. Throws Error when `run` is no folder of a run.
TrainSettings run_settings(const std::filesystem::path& run);
// Files and folders as DataOptions has them, all of the text in `heldout`. `lossy`: replace invalid UTF-8.
Corpus read_evaluation_text(const std::vector<std::string>& paths, bool lossy);
// Tokens per sequence for a model in `folder` or a run there. `wanted` 0: as in training, else 256, and never beyond
// the model's positions. Throws Error, beginning with `command`, when more than these are wanted.
std::int64_t evaluation_length(const std::string& command, const std::filesystem::path& folder, std::int64_t wanted,
                               const DecoderConfig& model);
// Sequences at a time, which decide how much experts with a capacity take. `wanted` 0: as in training, else 16.
std::int64_t evaluation_batch_size(const std::filesystem::path& folder, std::int64_t wanted);

}  // namespace witan::cli
