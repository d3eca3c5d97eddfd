// The lines of metrics.jsonl, and that a resumed run leaves no line twice.
#include "training/metrics_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/temporary_folder.h"

namespace witan {
namespace metrics_log_test {

StepReport report(std::int64_t step) {
  StepReport result;
  result.step = step;
  result.tokens = 100 * step;
  result.loss = 2.5;
  result.balance = {{"load_balance", 1.25}};
  result.moe_layers = {1};
  result.metrics.resize(1);
  result.metrics[0].rows_per_expert = {3, 5};
  result.metrics[0].max_over_mean_load = 1.25;
  return result;
}

TEST(MetricsLogTest, StepLineHasTheKindFirstAndNullForNaN) {
  StepReport step = report(7);
  step.gradient_norm = std::nan("");
  const std::string line = step_line(step);
  EXPECT_EQ(line.rfind(R"({"kind":"step","step":7,"tokens":700,)", 0), 0U) << line;
  const auto object = nlohmann::json::parse(line);
  EXPECT_TRUE(object["gradient_norm"].is_null());
  EXPECT_EQ(object["loss"], 2.5);
  EXPECT_EQ(object["balance"]["load_balance"], 1.25);
  EXPECT_EQ(object["layers"][0]["layer"], 1);
  EXPECT_EQ(object["layers"][0]["load"], nlohmann::json({3, 5}));
}

TEST(MetricsLogTest, EvalLineLeavesOutDomainsWithoutText) {
  Evaluation evaluation;
  evaluation.overall = {.tokens = 4, .bytes = 8, .nats = 8.0 * std::log(2.0)};
  evaluation.domains = {{.tokens = 4, .bytes = 8, .nats = 8.0 * std::log(2.0)}, {}};
  const auto object = nlohmann::json::parse(eval_line(3, evaluation, {"de", "en"}));
  EXPECT_EQ(object["kind"], "eval");
  EXPECT_NEAR(object["bits_per_byte"].get<double>(), 1.0, 1e-12);
  EXPECT_NEAR(object["loss"].get<double>(), 2.0 * std::log(2.0), 1e-12);
  EXPECT_EQ(object["domains"].size(), 1U);
  EXPECT_EQ(object["domains"]["de"]["tokens"], 4);
}

TEST(MetricsLogTest, EachLineIsOnDiskAtOnce) {
  const test::TemporaryFolder folder;
  MetricsLog log(folder / "metrics.jsonl", -1);
  log.write(step_line(report(1)));
  EXPECT_EQ(read_text_file(folder / "metrics.jsonl"), step_line(report(1)) + "\n");
}

TEST(MetricsLogTest, ResumingDropsLaterLinesAndATornOne) {
  const test::TemporaryFolder folder;
  const std::string run = run_line({{"threads", 2}});
  std::string content = run + "\n";
  for (int step = 1; step <= 4; ++step) content += step_line(report(step)) + "\n";
  write_file(folder / "metrics.jsonl", content + R"({"kind":"step","st)");
  {
    MetricsLog log(folder / "metrics.jsonl", 2);
    log.write(step_line(report(3)));
  }
  EXPECT_EQ(read_text_file(folder / "metrics.jsonl"),
            run + "\n" + step_line(report(1)) + "\n" + step_line(report(2)) + "\n" + step_line(report(3)) + "\n");
}

TEST(MetricsLogTest, ANewRunStartsAfresh) {
  const test::TemporaryFolder folder;
  write_file(folder / "metrics.jsonl", "old\n");
  MetricsLog log(folder / "metrics.jsonl", -1);
  EXPECT_EQ(read_text_file(folder / "metrics.jsonl"), "");
}

}  // namespace metrics_log_test
}  // namespace witan
