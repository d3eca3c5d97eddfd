// What running a model will take, known before its weights are read.
#pragma once

#include <cstdint>
#include <filesystem>

#include "models/decoder.h"
#include "models/encoder_decoder_config.h"

namespace witan {

struct RunPlan {
  ParameterCounts parameters;
  std::int64_t weight_bytes = 0;     // in memory, as load_model holds them
  std::int64_t cache_bytes = 0;      // what `positions` positions leave: keys and values, or latents
  std::int64_t pass_bytes = 0;       // of an encoder-decoder: what its longest pass holds beside them
  std::int64_t bytes_per_token = 0;  // of weights that one new token reads: those that work on it
  std::int64_t total_bytes() const { return weight_bytes + cache_bytes + pass_bytes; }
};

// For a sequence of `positions` positions, prompt included. Throws Error when the config does not validate.
RunPlan plan_run(const DecoderConfig& config, std::int64_t positions, Precision weights = Precision::kF32);
// For a source and `outputs` outputs at a time (beams), of as many positions. A pass takes the whole source, or as much
// of an output.
RunPlan plan_run(const EncoderDecoderConfig& config, std::int64_t source_positions, std::int64_t output_positions,
                 std::int64_t outputs);

// What the system can still give without swapping, and what this process may take of it by the limit of its control
// group (version 2 or 1); -1: unknown. `root`: where /proc and /sys stand.
std::int64_t available_memory(const std::filesystem::path& root = "/");

// Bytes per second that all threads together read from memory, measured for about a tenth of a second.
double read_bandwidth();

}  // namespace witan
