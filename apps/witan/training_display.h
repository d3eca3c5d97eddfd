// What `witan train` and `witan eval` show of a run: a progress line, evaluations, and tables at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "training/analysis.h"
#include "training/training_run.h"

namespace witan::cli {

// Progress on stderr: one redrawn line on a terminal, plain lines now and then elsewhere.
ProgressOptions stderr_progress();

// From here on writing to a closed pipe is an error and not the end of the process: Ctrl-C on `witan train 2>&1 | tee
// log` ends tee as well, and the run is still to be saved.
void outlive_readers();

class TrainingDisplay : public TrainingListener {
 public:
  // `first_tokens`: trained on before this sitting, so that the rate is that of this sitting.
  explicit TrainingDisplay(std::int64_t first_tokens);
  void on_step(const StepReport& report, double progress, double seconds_left) override;
  void on_evaluation(std::int64_t step, const Evaluation& evaluation) override;
  void on_evaluated(std::int64_t done, std::int64_t total) override;
  void on_checkpoint(std::int64_t step) override;
  void finish();

  // Of the last evaluation; no tokens when there was none.
  const Evaluation& last_evaluation() const { return evaluation_; }

 private:
  double step_seconds_ = 0.0;  // the clock of the rate: evaluations and checkpoints are no training
  Progress progress_;
  std::unique_ptr<Progress> evaluating_;
  std::int64_t first_tokens_;
  std::int64_t shown_tokens_ = 0;
  Evaluation evaluation_;
};

// Prints a line, at once even into a pipe.
void say(const std::string& line);

// "12 B", "2.3 MB", "1.20 GB".
std::string size_text(double bytes);
// "3.2 M parameters, 1.1 M of them active per token".
std::string counts_text(const ParameterCounts& counts);

// One line per domain: loss, bits per byte, bytes.
std::string evaluation_table(const Evaluation& evaluation, const std::vector<std::string>& domains);
// Which expert serves which domain, in percent of the domain's rows, for one layer.
std::string expert_table(const LayerAnalysis& layer, const std::vector<std::string>& domains);
// How well the experts of a layer tell the domains apart: nats that knowing the domain says about the expert, all
// domains being equally likely.
double mutual_information(const LayerAnalysis& layer);

}  // namespace witan::cli
