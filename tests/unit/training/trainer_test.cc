// A trainer learns, resumes bit for bit, refuses what does not belong to it, and says where a NaN came from.
#include "training/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/file.h"
#include "models/checkpoint_folder.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/token_text.h"

namespace witan {
namespace trainer_test {

TrainSettings tiny(std::int64_t steps) {
  TrainSettings settings = preset_settings("tiny");
  settings.budget = {.steps = steps};
  settings.data.tokenizer = "bytes";
  settings.model.moe.router_jitter_noise = 0.01;  // so that the position of the noise matters
  settings.model.vocab_size = make_byte_tokenizer()->vocab_size();
  return settings;
}

Trainer trainer(const TrainSettings& settings, const std::string& content_key = "key") {
  return {settings, make_byte_tokenizer(), test::small_corpus(3000), content_key};
}

std::vector<StepReport> run(Trainer& trainer, int steps) {
  std::vector<StepReport> reports;
  for (int i = 0; i < steps; ++i) reports.push_back(trainer.step());
  return reports;
}

testing::AssertionResult same_weights(Trainer& a, Trainer& b) {
  const auto left = a.model().parameters();
  const auto right = b.model().parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto result = test::identical(left[i].value.values(), right[i].value.values());
    if (!result) return testing::AssertionFailure() << left[i].name << ": " << result.message();
  }
  return testing::AssertionSuccess();
}

void expect_same(const StepReport& a, const StepReport& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.gradient_norm, b.gradient_norm);
  EXPECT_EQ(a.learning_rate, b.learning_rate);
  EXPECT_EQ(a.balance, b.balance);
  ASSERT_EQ(a.metrics.size(), b.metrics.size());
  for (std::size_t i = 0; i < a.metrics.size(); ++i) {
    EXPECT_EQ(a.metrics[i].rows_per_expert, b.metrics[i].rows_per_expert);
    EXPECT_EQ(a.metrics[i].router_entropy, b.metrics[i].router_entropy);
  }
}

TEST(TrainerTest, Learns) {
  Trainer subject = trainer(tiny(60));
  const double before = subject.evaluate(0).overall.loss();
  run(subject, 60);
  EXPECT_TRUE(subject.done());
  const Evaluation after = subject.evaluate(0);
  EXPECT_NEAR(before, std::log(static_cast<double>(make_byte_tokenizer()->vocab_size())), 0.5);
  EXPECT_LT(after.overall.loss(), 0.75 * before);
  EXPECT_EQ(after.overall.tokens, 499);
  EXPECT_EQ(after.domains[0].tokens + after.domains[1].tokens, after.overall.tokens);
  EXPECT_NEAR(after.domains[0].nats + after.domains[1].nats, after.overall.nats, 1e-9 * after.overall.nats);
}

TEST(TrainerTest, GoesOnFromAModelWithAnotherRoutingOfTheSameTensors) {
  const test::TemporaryFolder folder;
  Trainer first = trainer(tiny(20));
  run(first, 20);
  save_model(first.model(), folder.path());

  TrainSettings settings = tiny(4);
  settings.from = folder.path().string();
  settings.model = load_config(folder.path());
  settings.seed = 9;
  Trainer second = trainer(settings);
  EXPECT_FALSE(same_weights(second, first));
  second.start_from(folder.path());
  EXPECT_TRUE(same_weights(second, first));
  EXPECT_EQ(second.evaluate(0).overall.loss(), first.evaluate(0).overall.loss());
  run(second, 4);
  EXPECT_FALSE(same_weights(second, first));
  second.save(folder / "checkpoint");
  Trainer resumed = trainer(load_training_state(folder / "checkpoint").settings);
  resumed.restore(folder / "checkpoint");
  EXPECT_TRUE(same_weights(resumed, second));

  settings.model.moe.router = "gshard";
  settings.model.allow_noncausal = true;
  Trainer routed = trainer(settings);
  routed.start_from(folder.path());
  EXPECT_TRUE(same_weights(routed, first));
  settings.model.moe.router = "loss_free";
  settings.model.moe.weighting = "sigmoid_topk_norm";
  Trainer biased = trainer(settings);
  biased.start_from(folder.path());
  EXPECT_TRUE(same_weights(biased, first));
  run(biased, 4);
  save_model(biased.model(), folder / "biased");
  settings.model.moe.router = "top_k";  // and back: the biases are left
  Trainer plain = trainer(settings);
  plain.start_from(folder / "biased");
  EXPECT_TRUE(same_weights(plain, biased));
}

TEST(TrainerTest, RoutersThatHoldWeightsOfTheirOwnBeginThemAnew) {
  const test::TemporaryFolder folder;
  Trainer first = trainer(tiny(4));
  run(first, 4);
  save_model(first.model(), folder.path());
  for (const char* router : {"hash", "random", "expert_choice", "quantile"}) {
    TrainSettings settings = tiny(4);
    settings.from = folder.path().string();
    settings.model = load_config(folder.path());
    settings.model.moe.router = router;
    settings.model.allow_noncausal = true;
    Trainer routed = trainer(settings);
    EXPECT_EQ(test::error_message([&] { routed.start_from(folder.path()); }), "no error") << router;
    run(routed, 2);
  }
}

TEST(TrainerTest, AGateThatTheFilesLackIsMissed) {
  const test::TemporaryFolder folder;
  Trainer first = trainer(tiny(4));
  TrainSettings hashed = tiny(4);
  hashed.model.moe.router = "hash";
  Trainer without_gate = trainer(hashed);
  save_model(without_gate.model(), folder.path());
  write_file(folder / "config.json", [&] {
    const test::TemporaryFolder other;
    save_model(first.model(), other.path());
    return read_text_file(other / "config.json");
  }());
  const std::string message = test::error_message([&] { first.start_from(folder.path()); });
  EXPECT_NE(message.find("the weights lack 'model.layers."), std::string::npos) << message;
}

TEST(TrainerTest, ReportsWhatItDid) {
  TrainSettings settings = tiny(10);
  settings.data.gradient_accumulation_steps = 3;
  Trainer subject = trainer(settings);
  const StepReport report = subject.step();
  EXPECT_EQ(report.step, 1);
  EXPECT_EQ(report.tokens, 3 * 4 * 32);
  EXPECT_GT(report.gradient_norm, 0.0);
  ASSERT_EQ(report.metrics.size(), 2U);
  for (const MoeMetrics& layer : report.metrics) {
    const std::int64_t rows =
        std::accumulate(layer.rows_per_expert.begin(), layer.rows_per_expert.end(), std::int64_t{0});
    EXPECT_EQ(rows, 2 * report.tokens) << "top-2, nothing dropped";
    EXPECT_GE(layer.max_over_mean_load, 1.0);
    EXPECT_LE(layer.max_over_mean_load, 4.0);
  }
  EXPECT_EQ(report.balance.size(), 2U);
}

TEST(TrainerTest, ResumesBitForBit) {
  for (const std::int64_t micro_batches : {1, 2}) {
    TrainSettings settings = tiny(20);
    settings.data.gradient_accumulation_steps = micro_batches;
    Trainer straight = trainer(settings);
    const std::vector<StepReport> expected = run(straight, 20);

    const test::TemporaryFolder folder;
    {
      Trainer first = trainer(settings);
      run(first, 10);
      first.save(folder / "checkpoint");
    }
    Trainer second = trainer(settings);
    second.restore(folder / "checkpoint");
    EXPECT_EQ(second.consumed().steps, 10);
    const std::vector<StepReport> resumed = run(second, 10);
    for (std::size_t i = 0; i < 10; ++i) expect_same(resumed[i], expected[10 + i]);
    EXPECT_TRUE(same_weights(second, straight));
    EXPECT_EQ(second.evaluate(0).overall.nats, straight.evaluate(0).overall.nats);
  }
}

TEST(TrainerTest, ConsumedTimeIsSaved) {
  const test::TemporaryFolder folder;
  Trainer first = trainer(tiny(20));
  run(first, 2);
  first.save(folder / "checkpoint");
  const double saved = load_training_state(folder / "checkpoint").consumed.seconds;
  EXPECT_GT(saved, 0.0);
  Trainer second = trainer(tiny(20));
  second.restore(folder / "checkpoint");
  EXPECT_EQ(second.consumed().seconds, saved);
}

TEST(TrainerTest, RefusesACheckpointOfOtherSettingsOrText) {
  const test::TemporaryFolder folder;
  Trainer saved = trainer(tiny(20));
  run(saved, 1);
  saved.save(folder / "checkpoint");

  TrainSettings other = tiny(20);
  other.model.moe.moe_intermediate_size = 48;
  other.schedule.learning_rate = 0.5;
  Trainer wider = trainer(other);
  const std::string message = test::error_message([&] { wider.restore(folder / "checkpoint"); });
  EXPECT_NE(message.find("moe_intermediate_size: 48, was 32"), std::string::npos) << message;
  EXPECT_NE(message.find("learning_rate: 0.5, was 0.003"), std::string::npos) << message;

  Trainer other_text = trainer(tiny(20), "another key");
  EXPECT_NE(test::error_message([&] { other_text.restore(folder / "checkpoint"); }).find("text has changed"),
            std::string::npos);
}

TEST(TrainerTest, RefusesTextShorterThanOneSequence) {
  TrainSettings settings = tiny(20);
  EXPECT_NE(test::error_message(
                [&] { const Trainer subject(settings, make_byte_tokenizer(), test::small_corpus(20), "key"); }),
            "no error");
}

TEST(TrainerTest, SaysWhichLayerWentWrongFirstAndKeepsTheWeights) {
  Trainer subject = trainer(tiny(20));
  run(subject, 2);
  // A weight so large that the layer's rows overflow, while every weight is finite.
  for (const Parameter& parameter : subject.model().parameters()) {
    if (parameter.name.find("layers.1.") == std::string::npos || parameter.value.shape().rank() < 2) continue;
    for (float& value : parameter.value.values()) value *= 1e30F;
  }
  std::string message;
  try {
    subject.step();
  } catch (const Diverged& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("step 3"), std::string::npos) << message;
  EXPECT_NE(message.find("layer 1"), std::string::npos) << message;
  EXPECT_EQ(subject.consumed().steps, 2);
}

TEST(TrainerTest, NamesAWeightThatIsNoNumber) {
  Trainer subject = trainer(tiny(20));
  const auto parameters = subject.model().parameters();
  parameters.back().value.data()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(test::error_message([&] { subject.step(); }).find(parameters.back().name), std::string::npos);
}

}  // namespace trainer_test
}  // namespace witan
