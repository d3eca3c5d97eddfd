// metrics.jsonl, as the report reads it.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "report/metrics_file.h"
#include "support/temporary_folder.h"
#include "training/metrics_log.h"

namespace witan::fuzz {
namespace metrics_fuzz {

std::vector<std::string> seeds() {
  StepReport step;
  step.step = 1;
  step.loss = 2.5;
  step.balance = {{"load_balance", 1.0}};
  step.moe_layers = {1};
  step.metrics.resize(1);
  step.metrics[0].rows_per_expert = {3, 5};
  Evaluation evaluation;
  evaluation.domains = {{.tokens = 3, .bytes = 5, .nats = 4.0}};
  evaluation.overall = evaluation.domains[0];
  const std::string run = R"({"kind":"run","settings":{"hidden_size":8},"threads":2})"
                          "\n";
  return {run + step_line(step) + "\n" + eval_line(1, evaluation, {"en"}) + "\n", run + run + R"({"kind":"ste)", ""};
}

void run(std::string_view input) {
  static const test::TemporaryFolder folder;
  overwrite(folder / "metrics.jsonl", input);
  try {
    const MetricsFile file(folder / "metrics.jsonl");
    std::int64_t before = -1;
    for (std::int64_t i = 0; i < file.num_steps(); ++i) {
      const StepMetrics metrics = file.step(i);
      require(metrics.step > before, "steps out of order");
      before = metrics.step;
    }
    require(file.run().is_null() == (file.num_runs() == 0), "a run that is counted and not there");
  } catch (const Error&) {
  }
}

}  // namespace metrics_fuzz

Target metrics_target() { return {"metrics", metrics_fuzz::seeds, metrics_fuzz::run}; }

}  // namespace witan::fuzz
