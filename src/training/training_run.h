// The loop of a training run: steps, evaluations, checkpoints and metrics.jsonl, until the budget is spent or somebody
// asks to stop. Prints nothing: a listener does.
#pragma once

#include <functional>

#include "training/run_folder.h"
#include "training/trainer.h"

namespace witan {

// Told what happened, between two steps.
class TrainingListener {
 public:
  TrainingListener() = default;
  TrainingListener(const TrainingListener&) = delete;
  TrainingListener& operator=(const TrainingListener&) = delete;
  virtual ~TrainingListener() = default;
  // `seconds_left` is an estimate, negative when there is none; `progress` in [0, 1].
  virtual void on_step(const StepReport& /*report*/, double /*progress*/, double /*seconds_left*/) {}
  virtual void on_evaluation(std::int64_t /*step*/, const Evaluation& /*evaluation*/) {}
  // Within the last evaluation, the long one: targets met so far, and all of them.
  virtual void on_evaluated(std::int64_t /*done*/, std::int64_t /*total*/) {}
  virtual void on_checkpoint(std::int64_t /*step*/) {}
};

enum class RunEnd { kFinished, kInterrupted };

// Runs `trainer` to the end of its budget and evaluates it on all that is held out, or until `stop`, asked after each
// step and within that evaluation, says yes; either way the last state is saved. A trainer that was restored continues
// metrics.jsonl at its step. Throws Diverged with the last checkpoint left as it was, and Error when the disk is full.
RunEnd run_training(Trainer& trainer, const RunFolder& folder, const std::function<bool()>& stop,
                    TrainingListener& listener);

}  // namespace witan
