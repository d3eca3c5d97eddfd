// The loop: what is written when, that stopping and resuming leaves the same record as going straight on, and that a
// failure keeps the last good checkpoint.
#include "training/training_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "support/compare.h"
#include "support/temporary_folder.h"
#include "support/token_text.h"

namespace witan {
namespace training_run_test {

TrainSettings tiny(std::int64_t steps) {
  TrainSettings settings = preset_settings("tiny");
  settings.budget = {.steps = steps};
  settings.model.vocab_size = make_byte_tokenizer()->vocab_size();
  settings.logging = {.eval_steps = 4, .eval_tokens = 128, .save_steps = 3, .save_minutes = 0.0};
  return settings;
}

Trainer trainer(const TrainSettings& settings) {
  return {settings, make_byte_tokenizer(), test::small_corpus(3000), "key"};
}

// Counts calls, and asks to stop after a step.
class Script : public TrainingListener {
 public:
  explicit Script(std::int64_t stop_after = -1) : stop_after_(stop_after) {}
  void on_step(const StepReport& report, double progress, double /*seconds_left*/) override {
    ++steps;
    EXPECT_GE(progress, 0.0);
    EXPECT_LE(progress, 1.0);
    stop = report.step == stop_after_;
  }
  void on_evaluation(std::int64_t step, const Evaluation& evaluation) override {
    evaluated.push_back(step);
    EXPECT_GT(evaluation.overall.tokens, 0);
  }
  void on_checkpoint(std::int64_t step) override { saved.push_back(step); }

  bool stop = false;
  int steps = 0;
  std::vector<std::int64_t> evaluated;
  std::vector<std::int64_t> saved;

 private:
  std::int64_t stop_after_;
};

RunEnd run(Trainer& subject, const std::filesystem::path& path, RunFolder::Mode mode, Script& script) {
  RunFolder folder(path, mode);
  folder.begin([&] { subject.save(folder.checkpoint()); });
  return run_training(
      subject, folder, [&] { return script.stop; }, script);
}

RunEnd resume(Trainer& subject, const std::filesystem::path& path, Script& script) {
  subject.restore(path / "checkpoint");
  return run(subject, path, RunFolder::Mode::kResume, script);
}

// The step and eval lines without what depends on the clock.
std::vector<nlohmann::json> record(const std::filesystem::path& run) {
  std::istringstream lines(read_text_file(run / "metrics.jsonl"));
  std::vector<nlohmann::json> result;
  for (std::string text; std::getline(lines, text);) {
    nlohmann::json line = nlohmann::json::parse(text);
    if (line["kind"] == "run") continue;
    for (const char* key : {"seconds", "tokens_per_second", "peak_memory_bytes"}) line.erase(key);
    result.push_back(std::move(line));
  }
  return result;
}

TEST(TrainingRunTest, EvaluatesAndSavesWhenItIsDueAndAtTheEnd) {
  const test::TemporaryFolder root;
  Trainer subject = trainer(tiny(9));
  Script script;
  EXPECT_EQ(run(subject, root / "run", RunFolder::Mode::kNew, script), RunEnd::kFinished);
  EXPECT_EQ(script.steps, 9);
  EXPECT_EQ(script.evaluated, (std::vector<std::int64_t>{4, 8, 9}));
  EXPECT_EQ(script.saved, (std::vector<std::int64_t>{3, 6, 9}));
  EXPECT_TRUE(std::filesystem::exists(root / "run/settings.json"));
  EXPECT_EQ(load_training_state(root / "run/checkpoint").consumed.steps, 9);
}

TEST(TrainingRunTest, StoppedAndResumedLeavesTheSameRecord) {
  const test::TemporaryFolder root;
  Trainer straight = trainer(tiny(20));
  Script all;
  run(straight, root / "straight", RunFolder::Mode::kNew, all);

  Trainer first = trainer(tiny(20));
  Script stopping(10);
  EXPECT_EQ(run(first, root / "resumed", RunFolder::Mode::kNew, stopping), RunEnd::kInterrupted);
  EXPECT_EQ(stopping.saved.back(), 10);

  Trainer second = trainer(tiny(20));
  Script rest;
  EXPECT_EQ(resume(second, root / "resumed", rest), RunEnd::kFinished);
  EXPECT_EQ(rest.steps, 10);
  EXPECT_EQ(record(root / "resumed"), record(root / "straight"));
  const auto left = second.model().parameters();
  const auto right = straight.model().parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(test::identical(left[i].value.values(), right[i].value.values())) << left[i].name;
  }
}

TEST(TrainingRunTest, StepsAfterTheCheckpointAreRecordedOnce) {
  const test::TemporaryFolder root;
  {
    // Fails in step 6, after the checkpoint of step 3.
    class Breaking final : public Script {
     public:
      explicit Breaking(Trainer& subject) : subject_(subject) {}
      void on_step(const StepReport& report, double progress, double left) override {
        Script::on_step(report, progress, left);
        if (report.step != 5) return;
        subject_.model().parameters().front().value.data()[0] = std::numeric_limits<float>::quiet_NaN();
      }

     private:
      Trainer& subject_;
    };
    Trainer subject = trainer(tiny(20));
    Breaking script(subject);
    EXPECT_THROW(run(subject, root / "run", RunFolder::Mode::kNew, script), Diverged);
    EXPECT_EQ(script.saved, std::vector<std::int64_t>{3});
  }
  Trainer again = trainer(tiny(20));
  again.restore(root / "run/checkpoint");
  EXPECT_EQ(again.consumed().steps, 3);
  Script script(7);
  run(again, root / "run", RunFolder::Mode::kResume, script);
  std::vector<std::int64_t> steps;
  for (const nlohmann::json& line : record(root / "run")) {
    if (line["kind"] == "step") steps.push_back(line["step"]);
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7}));
}

TEST(TrainingRunTest, DivergingAtOnceLeavesTheStart) {
  const test::TemporaryFolder root;
  Trainer subject = trainer(tiny(20));
  std::ranges::fill(subject.model().parameters().front().value.values(), std::numeric_limits<float>::quiet_NaN());
  Script script;
  EXPECT_THROW(run(subject, root / "run", RunFolder::Mode::kNew, script), Diverged);
  EXPECT_EQ(load_training_state(root / "run/checkpoint").consumed.steps, 0);
}

TEST(TrainingRunTest, StoppedInTheLastEvaluationIsSavedAndResumed) {
  const test::TemporaryFolder root;
  Trainer first = trainer(tiny(5));
  Script stopping(5);
  EXPECT_EQ(run(first, root / "run", RunFolder::Mode::kNew, stopping), RunEnd::kInterrupted);
  EXPECT_EQ(stopping.saved.back(), 5);

  Trainer second = trainer(tiny(5));
  Script rest;
  EXPECT_EQ(resume(second, root / "run", rest), RunEnd::kFinished);
  EXPECT_EQ(rest.steps, 0);
  EXPECT_EQ(rest.evaluated, std::vector<std::int64_t>{5});
}

TEST(TrainingRunTest, ARunByMinutesEndsByTheClock) {
  const test::TemporaryFolder root;
  TrainSettings settings = tiny(0);
  settings.budget = {.minutes = 1e-9};
  Trainer subject = trainer(settings);
  Script script;
  EXPECT_EQ(run(subject, root / "run", RunFolder::Mode::kNew, script), RunEnd::kFinished);
  EXPECT_EQ(script.steps, 1);
}

}  // namespace training_run_test
}  // namespace witan
