// Steps, and what is due between them.
#include "training/training_run.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/parallel.h"
#include "training/metrics_log.h"

namespace witan {
namespace {

// Whether something that happens every `steps` or every `minutes` (0: never) is due.
class Due {
 public:
  Due(std::int64_t steps, double minutes, const Consumed& now) : steps_(steps), minutes_(minutes), last_(now.seconds) {}
  bool operator()(const Consumed& now) {
    const bool by_steps = steps_ > 0 && now.steps % steps_ == 0;
    const bool by_time = minutes_ > 0.0 && now.seconds - last_ >= minutes_ * 60.0;
    if (by_steps || by_time) last_ = now.seconds;
    return by_steps || by_time;
  }

 private:
  std::int64_t steps_;
  double minutes_;
  double last_;
};

nlohmann::ordered_json describe(Trainer& trainer) {
  const ParameterCounts counts = trainer.model().counts();
  return {{"settings", settings_to_json(trainer.settings())},
          {"parameters", {{"total", counts.total}, {"active", counts.active}}},
          {"domains", trainer.corpus().domains},
          {"train_bytes", trainer.corpus().train->bytes()},
          {"heldout_bytes", trainer.corpus().heldout->bytes()},
          {"train_tokens", trainer.corpus().train->tokens().size()},
          {"heldout_tokens", trainer.corpus().heldout->tokens().size()},
          {"threads", num_threads()},
          {"first_step", trainer.consumed().steps + 1},
          {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
}

}  // namespace

RunEnd run_training(Trainer& trainer, const RunFolder& folder, const std::function<bool()>& stop,
                    TrainingListener& listener) {
  const LoggingOptions& logging = trainer.settings().logging;
  const Consumed at_start = trainer.consumed();
  write_file(folder.settings(), settings_to_json(trainer.settings()).dump(1) + "\n");
  MetricsLog log(folder.metrics(), at_start.steps > 0 ? at_start.steps : -1);
  log.write(run_line(describe(trainer)));

  const auto evaluate = [&](std::int64_t max_tokens, const std::function<void(std::int64_t)>& on_batch) {
    const Evaluation evaluation = trainer.evaluate(max_tokens, {}, on_batch);
    const std::int64_t step = trainer.consumed().steps;
    log.write(eval_line(step, evaluation, trainer.corpus().domains));
    listener.on_evaluation(step, evaluation);
  };
  const auto save = [&] {
    trainer.save(folder.checkpoint());
    listener.on_checkpoint(trainer.consumed().steps);
  };

  Due save_due(logging.save_steps, logging.save_minutes, at_start);
  Due eval_due(logging.eval_steps, 0.0, at_start);
  // The clock runs on between two questions, so what follows from one answer must not ask again.
  bool done = trainer.done();
  while (!done && !stop()) {
    const StepReport report = trainer.step();
    log.write(step_line(report));
    done = trainer.done();
    listener.on_step(report, budget_share(trainer.settings().budget, trainer.consumed()), trainer.seconds_left());
    if (done) break;
    if (eval_due(trainer.consumed())) evaluate(logging.eval_tokens, {});
    if (save_due(trainer.consumed())) save();
    done = trainer.done();
  }
  save();  // before the evaluation of everything, which may take minutes
  if (!done) return RunEnd::kInterrupted;
  struct Stopped {};
  try {
    const auto targets = static_cast<std::int64_t>(trainer.corpus().heldout->tokens().size()) - 1;
    listener.on_evaluated(0, targets);
    evaluate(0, [&](std::int64_t met) {
      listener.on_evaluated(met, targets);
      if (stop()) throw Stopped();
    });
  } catch (const Stopped&) {
    return RunEnd::kInterrupted;
  }
  return RunEnd::kFinished;
}

}  // namespace witan
