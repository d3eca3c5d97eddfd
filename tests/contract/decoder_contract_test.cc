// Every router of the table in a causal decoder: it trains, or refuses with the reason; its state is all there is to
// save; and what it does in evaluation can be done token by token.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "layers/kv_cache.h"
#include "models/decoder.h"
#include "router_cases.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/tiny_models.h"

namespace witan {
namespace decoder_contract_test {

constexpr std::int64_t kTokens = 24;

class DecoderContract : public testing::TestWithParam<test::RouterCase> {
 protected:
  // dropless: without capacity, in training and in evaluation.
  static DecoderConfig config(bool dropless) {
    DecoderConfig result = test::tiny_config();
    result.num_hidden_layers = 1;
    static_cast<RouterOptions&>(result.moe) = GetParam().options(6);
    if (!dropless) result.moe.capacity_factor = result.moe.eval_capacity_factor = RouterOptions::kRouterDefault;
    result.allow_noncausal = !GetParam().entry().causal_safe(result.moe);
    return result;
  }

  static std::vector<std::int32_t> tokens(std::int64_t count) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * i * 7 % 40);
    return ids;
  }

  static std::vector<std::int64_t> counts() {
    std::vector<std::int64_t> result(40);
    std::iota(result.begin(), result.end(), 1);
    return result;
  }

  static std::vector<Parameter> state(const Decoder& model) {
    std::vector<Parameter> all = model.parameters();
    for (const Parameter& buffer : model.buffers()) all.push_back(buffer);
    return all;
  }

  static Tensor hidden(Decoder& model) {
    Tape off;
    return model.forward(off, tokens(kTokens), 2, kTokens / 2, {}).hidden;
  }

  // One step of plain gradient descent.
  static void train(Decoder& model, Random& random) {
    const std::vector<std::int32_t> ids = tokens(kTokens);
    std::vector<std::int32_t> targets = ids;
    std::ranges::rotate(targets, targets.begin() + 1);
    const auto feedback = std::make_shared<RowFeedback>();
    Tape tape(Tape::Mode::kRecording);
    const RouterContext context{
        .training = true, .rows_per_sequence = kTokens / 2, .random = &random, .feedback = feedback};
    const DecoderOutput output = model.forward(tape, ids, 2, kTokens / 2, context);
    feedback->losses.resize(targets.size());
    std::vector<Tensor> terms = {model.loss(tape, output.hidden, targets, feedback->losses)};
    for (const BalanceTerm& term : output.balance) terms.push_back(term.value);
    const Tensor objective = ops::weighted_sum(tape, terms, std::vector<float>(terms.size(), 1.0F));
    ASSERT_TRUE(std::isfinite(objective.item()));
    tape.backward(objective);
    for (const Parameter& parameter : model.parameters()) {
      if (!parameter.value.grad().present()) continue;
      const std::span<float> gradient = parameter.value.grad().values();
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        ASSERT_TRUE(std::isfinite(gradient[i])) << parameter.name;
        parameter.value.values()[i] -= 0.01F * gradient[i];
      }
      parameter.value.grad().clear();
    }
    std::vector<std::vector<std::int64_t>> requested;
    for (const MoeMetrics& metrics : output.metrics) requested.push_back(metrics.requested_rows);
    model.after_step(requested);
  }
};

TEST_P(DecoderContract, TrainsOrRefusesWithTheReason) {
  for (const bool dropless : {true, false}) {
    DecoderConfig asked = config(dropless);
    if (asked.allow_noncausal) {
      asked.allow_noncausal = false;
      const std::string message = test::error_message([&] { asked.validate(); });
      EXPECT_NE(message.find(GetParam().entry().causality), std::string::npos) << message;
      EXPECT_NE(message.find("--allow-noncausal"), std::string::npos) << message;
    }
    Decoder model(config(dropless), 3);
    model.prepare_routers(counts());
    const Tensor before = hidden(model);
    Random random(4);
    for (int step = 0; step < 2; ++step) train(model, random);
    EXPECT_FALSE(test::identical(hidden(model).values(), before.values()));
  }
}

TEST_P(DecoderContract, ParametersAndBuffersAreItsWholeState) {
  Decoder model(config(true), 3);
  model.prepare_routers(counts());
  Random random(4);
  train(model, random);
  Decoder copy(config(true), 99);
  std::map<std::string, Tensor> stored;
  for (const Parameter& one : state(model)) EXPECT_TRUE(stored.emplace(one.name, one.value).second) << one.name;
  for (const Parameter& one : state(copy)) {
    ASSERT_TRUE(stored.contains(one.name)) << one.name;
    ASSERT_EQ(stored.at(one.name).shape(), one.value.shape()) << one.name;
    std::ranges::copy(stored.at(one.name).values(), one.value.data());
  }
  EXPECT_TRUE(test::identical(hidden(copy).values(), hidden(model).values()));
  // And goes on learning as the original does.
  Random first(5);
  Random second(5);
  train(model, first);
  train(copy, second);
  EXPECT_TRUE(test::identical(hidden(copy).values(), hidden(model).values()));
}

TEST_P(DecoderContract, TokenByTokenIsTheWholeSequence) {
  Decoder model(config(true), 3);
  if (!GetParam().entry().causal_safe(model.config().moe)) GTEST_SKIP() << "sees later tokens";
  model.prepare_routers(counts());
  const std::vector<std::int32_t> ids = tokens(12);
  Tape off;
  const Tensor whole = model.forward(off, ids, 1, 12, {}).hidden;
  KvCache cache = model.make_cache();
  for (std::int64_t i = 0; i < 12; ++i) {
    const std::span<const std::int32_t> one(ids.data() + i, 1);
    const Tensor single = model.forward(off, one, 1, 1, {}, &cache).hidden;
    EXPECT_TRUE(test::near(single.values(), {whole.matrix().row(i), static_cast<std::size_t>(whole.cols())}, 1e-4F));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryRouter, DecoderContract, testing::ValuesIn(test::router_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace decoder_contract_test
}  // namespace witan
