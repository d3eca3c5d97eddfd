// The policy gradient against the exact one, and a bandit that is learned.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/routed.h"

namespace witan {
namespace reinforced_test {

constexpr std::int64_t kArms = 3;
constexpr std::array<float, kArms> kLosses = {1.0F, 0.2F, 2.5F};
const std::vector<float> kPolicy = {0.5F, -0.3F, 0.1F};

// One batch of rows that all have the same scores; row t loses kLosses of its expert, times factor(t). Fills the
// gradients of the scores and of the router's parameters.
struct Bandit {
  Bandit(Router& router, const Tensor& scores, Random& random, const Tensor& rows) {
    const auto feedback = std::make_shared<RowFeedback>();
    Tape tape(Tape::Mode::kRecording);
    const Routing routing =
        router.route(tape, scores, {.training = true, .random = &random, .rows = &rows, .feedback = feedback});
    tape.keep(routing.assignment);
    feedback->losses.resize(static_cast<std::size_t>(scores.rows()));
    feedback->share = 1.0F / static_cast<float>(scores.rows());
    for (std::int64_t e = 0; e < kArms; ++e) {
      for (const std::int32_t row : routing.assignment->rows_of(e)) {
        feedback->losses[static_cast<std::size_t>(row)] = kLosses[static_cast<std::size_t>(e)];
      }
    }
    loss = 0.0;
    for (const float each : feedback->losses) loss += static_cast<double>(each * feedback->share);
    scores.grad().clear();
    // Whatever the experts' outputs say of the weights is no part of the policy gradient.
    tape.backward(routing.combine_weights, test::random_tensor({scores.rows()}, 99));
  }
  double loss;
};

Tensor same_scores(std::int64_t rows) {
  Tensor scores = Tensor::uninitialized({rows, kArms});
  for (std::int64_t row = 0; row < rows; ++row) std::ranges::copy(kPolicy, scores.matrix().row(row));
  scores.set_requires_grad(true);
  return scores;
}

std::vector<double> softmax(std::span<const float> scores) {
  std::vector<double> p;
  double sum = 0.0;
  for (const float score : scores) sum += p.emplace_back(std::exp(static_cast<double>(score)));
  for (double& each : p) each /= sum;
  return p;
}

TEST(ReinforcedRouterTest, TheGradientIsUnbiased) {
  constexpr std::int64_t kRows = 200000;
  const Tensor scores = same_scores(kRows);
  const Tensor rows = Tensor::full({kRows, 3}, 1.0F);
  Random random(4);
  for (const float baseline : {0.0F, 0.9F}) {  // which changes the variance alone
    const auto router = test::router_of("reinforced", kArms, 1);
    router->parameters()[1].value.values()[0] = baseline;
    const Bandit bandit(*router, scores, random, rows);
    std::vector<double> sums(kArms, 0.0);
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::size_t e = 0; e < kArms; ++e) {
        sums[e] += static_cast<double>(scores.grad().matrix()(row, static_cast<std::int64_t>(e)));
      }
    }
    // d/dh_e of sum p loss = p_e (loss_e - mean loss); the deviation of one draw is below 1.5.
    const std::vector<double> p = softmax(kPolicy);
    double mean = 0.0;
    for (std::size_t e = 0; e < kArms; ++e) mean += p[e] * static_cast<double>(kLosses[e]);
    EXPECT_NEAR(bandit.loss, mean, 5.0 / std::sqrt(kRows));
    for (std::size_t e = 0; e < kArms; ++e) {
      EXPECT_NEAR(sums[e], p[e] * (static_cast<double>(kLosses[e]) - mean), 5.0 * 1.5 / std::sqrt(kRows)) << e;
    }
  }
}

TEST(ReinforcedRouterTest, TheBaselineLearnsTheMeanLoss) {
  const auto router = test::router_of("reinforced", kArms, 1);
  const Tensor scores = same_scores(400);
  const Tensor rows = test::random_tensor({400, 3}, 2);
  Random random(4);
  const std::vector<Parameter> parameters = router->parameters();
  ASSERT_EQ(parameters.size(), 2U);
  for (int step = 0; step < 200; ++step) {
    const Bandit bandit(*router, scores, random, rows);
    for (const Parameter& parameter : parameters) {
      for (std::size_t i = 0; i < parameter.value.values().size(); ++i) {
        parameter.value.values()[i] -= 0.5F * parameter.value.grad().values()[i];
      }
      parameter.value.grad().clear();
    }
  }
  const std::vector<double> p = softmax(kPolicy);
  double mean = 0.0;
  for (std::size_t e = 0; e < kArms; ++e) mean += p[e] * static_cast<double>(kLosses[e]);
  EXPECT_NEAR(parameters[1].value.values()[0], mean, 0.1);
  EXPECT_LT(test::max_abs(parameters[0].value.values()), 0.1F) << "rows tell nothing here";
}

TEST(ReinforcedRouterTest, LearnsTheBestArm) {
  const auto router = test::router_of("reinforced", kArms, 1);
  const Tensor rows = Tensor::full({64, 3}, 1.0F);
  Tensor scores = same_scores(64);
  Random random(4);
  double first = 0.0;
  double last = 0.0;
  for (int step = 0; step < 150; ++step) {
    const Bandit bandit(*router, scores, random, rows);
    if (step == 0) first = bandit.loss;
    last = bandit.loss;
    for (std::size_t i = 0; i < scores.values().size(); ++i) scores.values()[i] -= 20.0F * scores.grad().values()[i];
  }
  EXPECT_GT(first, 0.9);
  EXPECT_LT(last, 0.35) << "the best arm loses 0.2";
  Tape off;
  const Routing evaluated = router->route(off, scores, {.rows = &rows});
  EXPECT_GT(evaluated.assignment->load(1), 55) << "evaluation takes the largest score";
  EXPECT_TRUE(evaluated.terms.empty());
}

TEST(ReinforcedRouterTest, DrawsWithItsProbabilities) {
  constexpr std::int64_t kRows = 40000;
  const auto router = test::router_of("reinforced", kArms, 1);
  const Tensor rows = Tensor::zeros({kRows, 3});
  Random random(4);
  Tape off;
  const Routing routing = router->route(off, same_scores(kRows), {.training = true, .random = &random, .rows = &rows});
  const std::vector<double> p = softmax(kPolicy);
  for (std::size_t e = 0; e < kArms; ++e) {
    EXPECT_NEAR(static_cast<double>(routing.assignment->load(static_cast<std::int64_t>(e))), kRows * p[e],
                5.0 * std::sqrt(kRows * p[e]));
  }
}

TEST(ReinforcedRouterTest, EntropyBonusHasItsGradient) {
  const auto router = test::router_of("reinforced", kArms, 1, {{"reinforced_entropy_coef", "0.5"}});
  const std::vector<Tensor> inputs = {test::random_tensor({4, kArms}, 6)};
  const Tensor rows = Tensor::zeros({4, 3});
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1};
  float unscaled = 0.0F;
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        Random random(1);
        const Routing routing =
            router->route(tape, x[0], {.training = true, .row_mask = mask, .random = &random, .rows = &rows});
        unscaled = routing.terms.at(0).unscaled;
        EXPECT_FLOAT_EQ(routing.terms[0].value.item(), -0.5F * unscaled);
        return routing.terms[0].value;
      },
      inputs));
  double expected = 0.0;
  for (const std::int64_t row : {0, 1, 3}) {
    for (const double p : softmax({inputs[0].matrix().row(row), kArms})) expected -= p * std::log(p) / 3.0;
  }
  EXPECT_NEAR(unscaled, expected, 1e-2);  // of the last difference quotient
}

TEST(ReinforcedRouterTest, RefusesSeveralExpertsPerRow) {
  EXPECT_NE(test::error_message([] { test::router_of("reinforced", 4, 2); }).find("num_experts_per_tok=2, expected 1"),
            std::string::npos);
}

}  // namespace reinforced_test
}  // namespace witan
