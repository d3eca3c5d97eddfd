// The reverse of upcycling: a dense decoder made of one expert per mixture of a decoder, or of their mean.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config.h"
#include "models/stored_weights.h"
#include "models/upcycling/model_writer.h"

namespace witan {

struct ExtractOptions {
  std::string expert = "0";     // one number for all mixtures, or one for each: "3,0,7"
  bool mean = false;            // instead: the mean of all experts
  std::string shared = "keep";  // keep | drop
  std::string dtype = "keep";

  Fields fields();  // refers into this object
};

struct ExtractPlan {
  DecoderConfig config;               // dense
  std::vector<std::int64_t> experts;  // of each layer; -1: the mean, or a dense layer
  bool keeps_shared = false;
  double output_scale = 1.0;  // what the weights of a row sum to
  // What the dense model computes otherwise than the mixture with that expert alone would, in words.
  std::vector<std::string> notes;
};

// Throws Error with the values for experts that the model does not have, a model without mixtures, and networks that no
// dense one expresses: single neurons, gpt-oss' clamped unit, shared experts behind a gate.
ExtractPlan plan_extraction(const DecoderConfig& mixture, const ExtractOptions& options);

// What write_extracted stores. Throws Error naming tensors that the files lack.
std::vector<PlannedParameter> extracted_parameters(const StoredWeights& mixture, const ExtractPlan& plan,
                                                   const ExtractOptions& options);

// Writes the folder. Shared experts that are kept become part of the network: their units stand before the expert's.
// What is narrower than the widest layer gets units of zeros. Memory: a few times the largest tensor. Throws Error as
// write_model_folder and load_model do.
void write_extracted(const StoredWeights& mixture, const ExtractPlan& plan, const ExtractOptions& options,
                     const std::filesystem::path& output, const WriteListener& listener = {});

}  // namespace witan
