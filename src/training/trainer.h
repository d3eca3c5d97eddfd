// A model in training: one optimizer step at a time, and its whole state to and from a checkpoint. Not the loop around
// it: see training/training_run.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "models/decoder.h"
#include "training/budget.h"
#include "training/checkpoint.h"
#include "training/dataset.h"
#include "training/evaluation.h"
#include "training/optimizer.h"
#include "training/settings.h"
#include "training/step_report.h"

namespace witan {

// The loss or the gradient is no number any more. what() says in which step and where it went wrong first. The weights
// are still those before that step.
class Diverged : public Error {
 public:
  using Error::Error;
};

class Trainer {
 public:
  // settings.model.vocab_size must be the tokenizer's, or at least that for a model from elsewhere. Throws Error when
  // the settings do not fit together or a split of the text is shorter than one sequence.
  Trainer(const TrainSettings& settings, std::shared_ptr<const Tokenizer> tokenizer, TokenizedCorpus corpus,
          std::string content_key);

  // Forward and backward over the micro-batches, clipping, update. Throws Diverged.
  StepReport step();
  bool done() const { return budget_spent(settings_.budget, consumed()); }
  double seconds_left() const { return witan::seconds_left(settings_.budget, consumed()); }
  // On the held-out text; at most `max_tokens` of it, 0: all.
  Evaluation evaluate(std::int64_t max_tokens, const WindowObserver& observer = {},
                      const std::function<void(std::int64_t done)>& on_batch = {});

  // The weights of a new run from a model's folder instead of the drawn ones; see load_weights. Throws Error when the
  // tensors are not those of settings.model.
  void start_from(const std::filesystem::path& model);
  void save(const std::filesystem::path& checkpoint) const;
  // Continues where save() was called. Throws Error when settings or text are not the same, naming what differs.
  void restore(const std::filesystem::path& checkpoint);

  Decoder& model() { return *model_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const TokenizedCorpus& corpus() const { return corpus_; }
  const TrainSettings& settings() const { return settings_; }
  // Time runs from the first step, evaluations and checkpoints included, and stands still between sittings.
  Consumed consumed() const;

 private:
  using Clock = std::chrono::steady_clock;

  // Adds the gradients of one micro-batch, and what happened in it to the report.
  void run_micro_batch(std::int64_t micro_batch, StepReport& report);
  [[noreturn]] void diverged(const std::string& what);
  std::vector<Parameter> saved_tensors() const;

  TrainSettings settings_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenizedCorpus corpus_;
  std::string content_key_;
  std::unique_ptr<Decoder> model_;
  AdamW optimizer_;
  BatchSampler sampler_;
  Random routing_noise_;
  std::vector<std::int32_t> token_bytes_;
  double bytes_per_train_token_;

  Consumed before_;                         // at the start of this sitting, and steps and tokens since
  std::optional<Clock::time_point> start_;  // of the first step of this sitting
  std::int64_t next_batch_ = 0;
  Batch batch_;
};

}  // namespace witan
