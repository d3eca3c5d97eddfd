// Every router of the table in a decoder: refused with its reason or trained, saved, loaded with the same logits, and
// generating.
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "inference/generator.h"
#include "models/checkpoint_folder.h"
#include "routers/table.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/token_text.h"
#include "text/tokenizer.h"
#include "training/trainer.h"

namespace witan {
namespace every_router_test {

class EveryRouter : public testing::TestWithParam<std::string> {
 protected:
  static TrainSettings settings() {
    TrainSettings all = preset_settings("tiny");
    all.budget = {.steps = 6};
    all.data.tokenizer = "bytes";
    all.data.gradient_accumulation_steps = 2;
    all.model.vocab_size = make_byte_tokenizer()->vocab_size();
    all.model.initializer_range = 0.1;
    const RouterEntry& entry = find_router(GetParam());
    all.model.moe.router = entry.name;
    if (entry.fixed_experts_per_tok > 0) all.model.moe.num_experts_per_tok = entry.fixed_experts_per_tok;
    if (entry.kind == RouterKind::kEveryExpert) all.model.moe.num_experts_per_tok = all.model.moe.num_experts;
    if (entry.kind == RouterKind::kRetrieval) {
      const Fields fields = all.model.fields();
      for (const auto& [field, value] : {std::pair("num_experts", "64"), std::pair("num_experts_per_tok", "16"),
                                         std::pair("moe_intermediate_size", "1"), std::pair("gated", "false")}) {
        fields.find(field).set(value);
      }
    }
    all.model.allow_noncausal = !entry.causal_safe(all.model.moe);
    return all;
  }
  static Trainer trainer() { return {settings(), make_byte_tokenizer(), test::small_corpus(3000), "key"}; }

  static Tensor logits(Decoder& model, std::span<const std::int32_t> ids) {
    Tape off;
    const auto length = static_cast<std::int64_t>(ids.size());
    return model.logits(model.forward(off, ids, 1, length, {}).hidden);
  }
};

TEST_P(EveryRouter, IsRefusedWithItsReasonWhenItSeesTheFuture) {
  TrainSettings all = settings();
  const bool unsafe = all.model.allow_noncausal;
  all.model.allow_noncausal = false;
  const std::string message = test::error_message([&] { all.model.validate(); });
  if (!unsafe) {
    EXPECT_EQ(message, "no error");
    return;
  }
  EXPECT_NE(message.find("--allow-noncausal"), std::string::npos) << message;
  EXPECT_NE(message.find(find_router(GetParam()).causality), std::string::npos) << message;
}

TEST_P(EveryRouter, TrainsSavesLoadsAndGenerates) {
  Trainer subject = trainer();
  const double before = subject.evaluate(0).overall.loss();
  for (int step = 0; step < 6; ++step) {
    const StepReport report = subject.step();
    ASSERT_TRUE(std::isfinite(report.loss) && std::isfinite(report.gradient_norm));
    EXPECT_GT(report.gradient_norm, 0.0);
  }
  EXPECT_LT(subject.evaluate(0).overall.loss(), before);

  const std::vector<std::int32_t> ids = {5, 77, 77, 5, 9, 100, 101, 102, 5, 9, 250, 3};
  const Tensor expected = logits(subject.model(), ids);
  const test::TemporaryFolder folder;
  save_model(subject.model(), folder.path());
  const std::unique_ptr<Decoder> loaded = load_model(folder.path());
  EXPECT_TRUE(test::identical(logits(*loaded, ids).values(), expected.values()));

  const auto tokenizer = make_byte_tokenizer();
  GenerationOptions options;
  options.max_tokens = 5;
  const Generation text = Generator(*loaded, *tokenizer).generate("count 12", {}, options);
  EXPECT_TRUE(text.ids.size() == 5U || text.stop == StopReason::kEndOfText);
}

// Dropless evaluation is the same piece by piece as all at once: where training looks at other rows, the rule of
// inference does not.
TEST_P(EveryRouter, GenerationFollowsTheRuleOfEvaluation) {
  if (find_router(GetParam()).kind == RouterKind::kSoft) GTEST_SKIP() << "mixes whatever rows are at hand";
  TrainSettings all = settings();
  all.model.moe.eval_capacity_factor = 0.0;
  Trainer subject(all, make_byte_tokenizer(), test::small_corpus(3000), "key");
  subject.step();
  const std::vector<std::int32_t> ids = {5, 77, 77, 5, 9, 100, 101, 102, 5, 9, 250, 3};
  const Tensor whole = logits(subject.model(), ids);
  KvCache cache = subject.model().make_cache();
  for (std::size_t i = 0; i < ids.size(); i += 3) {
    Tape off;
    const Tensor hidden = subject.model().forward(off, std::span(ids).subspan(i, 3), 1, 3, {}, &cache).hidden;
    const Tensor piece = subject.model().logits(hidden);
    const auto from = i * static_cast<std::size_t>(whole.cols());
    EXPECT_TRUE(test::near(piece.values(), whole.values().subspan(from, piece.values().size()), 2e-4F)) << "from " << i;
  }
}

TEST_P(EveryRouter, ResumesBitForBit) {
  Trainer straight = trainer();
  for (int step = 0; step < 4; ++step) straight.step();
  const test::TemporaryFolder folder;
  {
    Trainer first = trainer();
    for (int step = 0; step < 2; ++step) first.step();
    first.save(folder / "checkpoint");
  }
  Trainer second = trainer();
  second.restore(folder / "checkpoint");
  for (int step = 0; step < 2; ++step) second.step();
  const auto left = straight.model().parameters();
  const auto right = second.model().parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    ASSERT_TRUE(test::identical(left[i].value.values(), right[i].value.values())) << left[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryRouter, testing::ValuesIn(router_names()),
                         [](const auto& test) { return test.param; });

}  // namespace every_router_test
}  // namespace witan
