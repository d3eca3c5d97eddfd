// Several dense fine-tunes of one base joined into a mixture: the feed-forward network of each becomes an expert of
// every layer, the rest is averaged (branch-train-mix, Sukhbaatar et al. 2024).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/upcycling/upcycle.h"

namespace witan {

struct JoinOptions {
  std::int64_t top_k = 2;
  std::int64_t every = 1;
  std::string weighting = "topk_then_softmax";
  std::string others = "mean";    // mean | first: what becomes of all that is no expert
  std::string router = "hidden";  // hidden | random | zero
  double router_std = 0.02;
  std::int64_t seed = 0;
  std::string dtype = "keep";

  Fields fields();  // refers into this object
};

using DenseModels = std::span<const std::unique_ptr<DenseModel>>;
// Of the prompts of one model, a unit vector per layer; see mean_feed_forward_inputs.
using LayerDirections = std::vector<std::vector<float>>;

// Throws Error naming the first tensor whose shape differs, the first setting of the models that does, or the options
// that do not fit.
UpcyclePlan plan_join(DenseModels models, const JoinOptions& options);

// What write_joined stores.
std::vector<PlannedParameter> joined_parameters(DenseModels models, const UpcyclePlan& plan,
                                                const JoinOptions& options);

// Writes the folder; tokenizer and the like come from the first model. directions: one per model with router = hidden,
// row e of a router is that of model e in the same layer; else empty. Memory: a few times the largest tensor. Throws
// Error as write_model_folder does.
void write_joined(DenseModels models, const UpcyclePlan& plan, const JoinOptions& options,
                  std::span<const LayerDirections> directions, const std::filesystem::path& output,
                  const WriteListener& listener = {});

}  // namespace witan
