// Everything that decides a training run, and the presets. What is not here cannot change the result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "models/decoder.h"
#include "training/budget.h"
#include "training/optimizer.h"
#include "training/schedule.h"

namespace witan {

// How the text becomes batches. Paths are absolute, so that a run resumes from any working folder.
struct TrainDataOptions {
  std::vector<std::string> paths;
  std::string tokenizer = "sentencepiece";  // sentencepiece | bytes | a folder with a saved tokenizer
  bool lossy = false;
  double heldout_share = 0.05;
  std::int64_t batch_size = 16;        // sequences per micro-batch
  std::int64_t sequence_length = 256;  // tokens
  std::int64_t gradient_accumulation_steps = 1;

  Fields fields();
};

// What happens along the way. Changes nothing about the weights, so a resumed run may have others.
struct LoggingOptions {
  std::int64_t eval_steps = 200;     // 0: only at the end
  std::int64_t eval_tokens = 32768;  // at the most, per evaluation along the way; the last one reads all
  std::int64_t save_steps = 0;       // 0: not by steps
  double save_minutes = 10.0;        // 0: not by time

  Fields fields();
};

constexpr std::int64_t kMostThreads = 4096;
constexpr std::int64_t kMostSeed = std::int64_t{1} << 53;  // JSON has doubles

struct TrainSettings {
  std::string preset = "quickstart";
  // The folder of the model that training goes on from, with its tokenizer; empty: from scratch. `model` is then what
  // that folder says, except for what training may tune.
  std::string from;
  DecoderConfig model;
  TrainDataOptions data;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  BudgetOptions budget;
  LoggingOptions logging;
  std::int64_t seed = 0;
  std::int64_t threads = 0;  // 0: as many as the machine has cores for us

  // All fields but the logging ones, in this order: model, data, optimizer, schedule, seed, budget.
  Fields deciding_fields();
  // Throws Error with the values for whatever does not fit together.
  void validate() const;
  std::int64_t tokens_per_step() const {
    return data.batch_size * data.sequence_length * data.gradient_accumulation_steps;
  }
};

// The names a user may give, in the order they are listed.
const std::vector<std::string>& preset_names();
// Settings of a preset over the defaults. Throws Error for an unknown name, naming the nearest.
TrainSettings preset_settings(std::string_view name);

nlohmann::json settings_to_json(const TrainSettings& settings);
// Throws Error for unknown or missing keys and for values out of bounds.
TrainSettings settings_from_json(const nlohmann::json& object);

// Fields of the model among `chosen` that differ from those of the model that a run goes on from, though its tensors or
// what it computes depend on them: "hidden_size: 64, the model has 32". What routers choose and what balances them may
// be tuned: num_experts_per_tok, weighting, capacity, coefficients of balance terms, noise.
std::vector<std::string> contradictions(const DecoderConfig& now, const DecoderConfig& origin,
                                        const std::set<std::string>& chosen);

// "learning_rate: 0.001, was 0.002" for each deciding field (and the data paths) that differs. The budget may: a run
// may be made longer or shorter, and its schedule follows.
std::vector<std::string> differing_fields(const TrainSettings& now, const TrainSettings& saved);
// Throws Error with all of them, naming the checkpoint that holds `saved`.
void require_same_settings(const TrainSettings& now, const TrainSettings& saved,
                           const std::filesystem::path& checkpoint);

}  // namespace witan
