// The state of a run on disk: RUN/checkpoint, from which it continues bit for bit. Not the trained model that other
// programs load: see models/checkpoint_folder.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "training/budget.h"
#include "training/settings.h"
#include "witan/parameter.h"

namespace witan {

class Tokenizer;

// What is not a tensor.
struct TrainingState {
  TrainSettings settings;
  std::string content_key;  // of the corpus
  Consumed consumed;
  std::int64_t updates = 0;            // of the optimizer
  std::int64_t next_batch = 0;         // index of the next micro-batch of the sampler
  std::uint64_t routing_position = 0;  // of the stream of routing noise
  // What the last bits of the weights depend on besides: a run goes on bit for bit only with the same two.
  std::int64_t threads = 1;
  std::string instruction_set;  // kernels::isa_name
};

// Writes `folder` whole or not at all: state.json, tensors.safetensors and the tokenizer's files. Throws Error (full
// disk, read-only folder) and leaves an older checkpoint as it was.
void save_checkpoint(const std::filesystem::path& folder, const TrainingState& state,
                     const std::vector<Parameter>& tensors, const Tokenizer& tokenizer);

// Also of a run that goes on elsewhere, or that crashed inside save_checkpoint: nothing is changed on disk. Throws
// Error when there is no checkpoint, or it is damaged, or not one of ours.
TrainingState load_training_state(const std::filesystem::path& checkpoint);

// Fills the tensors, which must be exactly those that were saved: Error names what is missing, extra or misshapen, and
// the tensors may then hold anything.
void load_tensors(const std::filesystem::path& folder, const std::vector<Parameter>& tensors);

}  // namespace witan
