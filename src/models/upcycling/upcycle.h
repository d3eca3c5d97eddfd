// Sparse upcycling: a mixture of experts made of a dense decoder, which at first computes what the dense one does.
// Copies (Komatsuzaki et al. 2023): each expert is the dense feed-forward network. Virtual groups (He et al. 2024): the
// network is cut along its width into G shards, expert e holds shard e mod G, and the router scores each run of G
// experts alike, so that a row meets whole networks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config.h"
#include "models/upcycling/dense_model.h"
#include "models/upcycling/model_writer.h"

namespace witan {

struct UpcycleOptions {
  std::int64_t experts = 8;         // routed ones, shards counted
  std::int64_t top_k = 2;           // of them per row
  std::int64_t granularity = 1;     // shards that a network is cut into
  std::int64_t shared_experts = 0;  // how many of the shards serve every row instead of being routed
  std::int64_t every = 1;           // layers i with (i + 1) % every == 0 become mixtures
  std::string weighting = "topk_then_softmax";
  double router_std = 0.02;
  double noise = 0.0;        // deviation, over that of the tensor
  double noise_share = 1.0;  // of the weights of each expert
  double drop = 0.0;         // share of the units of each expert that are drawn anew
  std::int64_t seed = 0;
  std::string dtype = "keep";

  Fields fields();  // refers into this object
};

// What becomes of a dense model, before anything is read or written.
struct UpcyclePlan {
  DecoderConfig config;
  std::int64_t routed_shards = 1;  // G less the shared ones
  // Of down_proj. With weights that sum to 1 each shard gets 1 / routed_shards of them, whoever is chosen, so routed_
  // shards times the weights make the network whole. With softmax over all E experts a weight is about 1 / E and a
  // shard gets about k / (E routed_shards) of them.
  double output_scale = 1.0;
  double bias_scale = 1.0;    // of the bias of down_proj, which every expert holds whole
  double shared_scale = 1.0;  // of the shared experts' down_proj: 2 against a gate that begins at sigmoid(0)
  // Why the mixture is not at first the dense model, in words; empty: it is, up to rounding.
  std::vector<std::string> deviations;
};

// Throws Error with the values for options that do not fit together or the model.
UpcyclePlan plan_upcycle(const DecoderConfig& dense, const UpcycleOptions& options);

// In the order of the file's layers; what write_upcycled stores.
std::vector<PlannedParameter> upcycled_parameters(const DenseModel& dense, const UpcyclePlan& plan,
                                                  const UpcycleOptions& options);

// Writes the folder. Each tensor depends on the seed and its name alone. Memory: a few times the largest tensor. Throws
// Error as write_model_folder does.
void write_upcycled(const DenseModel& dense, const UpcyclePlan& plan, const UpcycleOptions& options,
                    const std::filesystem::path& output, const WriteListener& listener = {});

}  // namespace witan
