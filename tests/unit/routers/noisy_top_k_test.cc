// The formulas of noise and smooth load against Monte Carlo, plain loops and difference quotients; their edge cases.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/ops/variation.h"
#include "routers/score_noise.h"
#include "routers/smooth_load.h"
#include "routers/table.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace noisy_top_k_test {

constexpr std::int64_t kWidth = 3;
constexpr std::int64_t kExperts = 5;

RouterOptions noisy(const char* noise = "learned", std::int64_t k = 2) {
  RouterOptions options;
  options.router = "noisy_top_k";
  options.num_experts = kExperts;
  options.num_experts_per_tok = k;
  options.fields().find("router_noise").set(noise);
  return options;
}

std::unique_ptr<Router> make(const RouterOptions& options) {
  Random random(1);
  return find_router(options.router).make(options, kWidth, random);
}

TEST(ScoreNoiseTest, HasTheDeviationOfTheFormula) {
  const ScoreNoise noise(noisy(), kExperts, kWidth);
  const Tensor weight = noise.parameters("noise.weight")[0].value;
  EXPECT_EQ(test::max_abs(weight.values()), 0.0F);  // starts at zero
  std::ranges::copy(test::random_tensor({kExperts, kWidth}, 2).values(), weight.data());
  const Tensor rows = test::random_tensor({1, kWidth}, 3);
  const Tensor clean = test::random_tensor({1, kExperts}, 4);
  Random random(5);
  Tape off;
  constexpr int kDraws = 20000;
  std::vector<double> sum(kExperts);
  std::vector<double> squares(kExperts);
  NoisyScores last;
  for (int draw = 0; draw < kDraws; ++draw) {
    last = noise.add(off, clean, {.training = true, .random = &random, .rows = &rows});
    for (std::size_t e = 0; e < kExperts; ++e) {
      const double off_clean = static_cast<double>(last.scores.values()[e] - clean.values()[e]);
      sum[e] += off_clean / kDraws;
      squares[e] += off_clean * off_clean / kDraws;
    }
  }
  for (std::int64_t e = 0; e < kExperts; ++e) {
    double raw = 0.0;
    for (std::int64_t d = 0; d < kWidth; ++d) raw += static_cast<double>(weight.matrix()(e, d) * rows.matrix()(0, d));
    const double deviation = std::log1p(std::exp(raw)) + 0.01;
    EXPECT_NEAR(static_cast<double>(last.deviations.data()[e]), deviation, 1e-5);
    EXPECT_NEAR(sum[static_cast<std::size_t>(e)], 0.0, 5.0 * deviation / std::sqrt(kDraws));
    EXPECT_NEAR(std::sqrt(squares[static_cast<std::size_t>(e)]), deviation, 0.03 * deviation);
  }
}

TEST(ScoreNoiseTest, FixedDeviationAndNone) {
  Tape off;
  Random random(5);
  const Tensor rows = test::random_tensor({2, kWidth}, 3);
  const Tensor clean = test::random_tensor({2, kExperts}, 4);
  const RouterContext context{.training = true, .random = &random, .rows = &rows};
  const NoisyScores fixed = ScoreNoise(noisy("fixed"), kExperts, kWidth).add(off, clean, context);
  for (const float deviation : fixed.deviations.values()) EXPECT_EQ(deviation, 1.0F / kExperts);
  const NoisyScores none = ScoreNoise(noisy("none"), kExperts, kWidth).add(off, clean, context);
  EXPECT_FALSE(none.deviations.defined());
  EXPECT_TRUE(test::identical(none.scores.values(), clean.values()));
  EXPECT_TRUE(make(noisy("fixed"))->parameters().empty());
  EXPECT_EQ(make(noisy())->parameters().size(), 1U);
}

// Draws the noise of one expert again, all others' held, and counts how often it is among the k best.
TEST(SmoothLoadTest, IsTheProbabilityOfBeingChosenOverAFreshDraw) {
  const Tensor clean = test::random_tensor({1, kExperts}, 6);
  const Tensor scores = test::random_tensor({1, kExperts}, 7);
  const Tensor deviations = Tensor::from({1, kExperts}, std::vector<float>{0.5F, 1.0F, 0.7F, 2.0F, 0.3F});
  Tape off;
  const Tensor load = smooth_load(off, clean, {scores, deviations}, 2, {});
  Random random(8);
  constexpr int kDraws = 40000;
  for (std::size_t e = 0; e < kExperts; ++e) {
    int chosen = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      const float mine = clean.values()[e] + deviations.values()[e] * random.normal();
      int better = 0;
      for (std::size_t other = 0; other < kExperts; ++other) better += other != e && scores.values()[other] > mine;
      chosen += better < 2;
    }
    EXPECT_NEAR(load.values()[e], static_cast<double>(chosen) / kDraws, 5.0 * 0.5 / std::sqrt(kDraws)) << e;
  }
}

TEST(SmoothLoadTest, GradientsMatchCentralDifferences) {
  // Scores far enough apart that no quotient changes the order.
  const Tensor noisy_scores =
      Tensor::from({2, 4}, std::vector<float>{0.1F, 1.2F, -0.5F, 0.6F, 0.9F, -0.2F, 0.3F, 2.0F});
  const Tensor deviations = Tensor::from({2, 4}, std::vector<float>{0.5F, 1.0F, 0.7F, 2.0F, 0.8F, 1.5F, 0.6F, 0.9F});
  std::vector<Tensor> inputs = {test::random_tensor({2, 4}, 9), noisy_scores, deviations};
  for (Tensor& input : inputs) input.set_requires_grad(true);
  for (const std::int64_t groups : {1, 2}) {
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          return smooth_load(tape, x[0], {x[1], x[2]}, 2, {}, groups);
        },
        inputs, 1e-2F, 2e-3F));
  }
}

TEST(SmoothLoadTest, ReshapedScoresGetTheirGradient) {
  Tensor scores = test::random_tensor({3, 8}, 10);
  const auto load_of = [&](Tape& tape, const Tensor& h) {
    return smooth_load(tape, h, {test::random_tensor(h.shape(), 11), Tensor::full(h.shape(), 0.7F)}, 2, {}, 2);
  };
  Tape tape(Tape::Mode::kRecording);
  const Tensor reshaped = load_of(tape, scores.reshaped({6, 4}));
  tape.backward(reshaped, test::random_tensor(reshaped.shape(), 12));
  Tensor same = Tensor::from({6, 4}, scores.values());
  same.set_requires_grad(true);
  tape.backward(load_of(tape, same), test::random_tensor(reshaped.shape(), 12));
  EXPECT_TRUE(test::identical(scores.grad().values(), same.grad().values()));
}

TEST(SmoothLoadTest, AllExpertsOrNoNoiseIsACountWithoutGradient) {
  const Tensor scores = Tensor::from({2, 3}, std::vector<float>{3.0F, 2.0F, 1.0F, 1.0F, 2.0F, 3.0F});
  Tape tape(Tape::Mode::kRecording);
  const Tensor all = smooth_load(tape, scores, {scores, Tensor::full({2, 3}, 1.0F)}, 3, {});
  EXPECT_TRUE(test::identical(all.values(), std::vector<float>{2.0F, 2.0F, 2.0F}));
  const Tensor quiet = smooth_load(tape, scores, {scores, {}}, 2, {});
  EXPECT_TRUE(test::identical(quiet.values(), std::vector<float>{1.0F, 2.0F, 1.0F}));
  EXPECT_FALSE(quiet.requires_grad());
  const std::vector<std::uint8_t> first = {1, 0};
  const Tensor masked = smooth_load(tape, scores, {scores, {}}, 2, first);
  EXPECT_TRUE(test::identical(masked.values(), std::vector<float>{1.0F, 1.0F, 0.0F}));
}

TEST(NoisyTopKRouterTest, WeightsAreTheSoftmaxOfTheChosenNoisyScores) {
  const RouterOptions options = noisy();
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  const Tensor scores = test::random_tensor({6, kExperts}, 4);
  Tape off;
  Random first(5);
  const Routing routing = make(options)->route(off, scores, {.training = true, .random = &first, .rows = &rows});
  Random second(5);
  const RouterContext context{.training = true, .random = &second, .rows = &rows};
  const NoisyScores drawn = ScoreNoise(options, kExperts, kWidth).add(off, scores, context);
  RouterOptions plain = options;
  plain.router = "top_k";
  const Routing expected = make(plain)->route(off, drawn.scores, {});
  EXPECT_TRUE(std::ranges::equal(routing.assignment->row_indices, expected.assignment->row_indices));
  EXPECT_TRUE(test::identical(routing.combine_weights.values(), expected.combine_weights.values()));
  // Clean probabilities, for the balance losses.
  EXPECT_TRUE(
      test::identical(routing.probabilities.values(), make(plain)->route(off, scores, {}).probabilities.values()));
}

TEST(NoisyTopKRouterTest, TermIsTheVariationOfTheLoadAndReachesTheNoise) {
  const auto router = make(noisy());
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  Tensor scores = test::random_tensor({6, kExperts}, 4);
  Random random(5);
  Tape tape(Tape::Mode::kRecording);
  const Routing routing = router->route(tape, scores, {.training = true, .random = &random, .rows = &rows});
  ASSERT_EQ(routing.terms.size(), 1U);
  EXPECT_EQ(routing.terms[0].name, "noisy_load");
  EXPECT_GT(routing.terms[0].unscaled, 0.0F);
  EXPECT_NEAR(routing.terms[0].value.item(), 0.1F * routing.terms[0].unscaled, 1e-6F);
  tape.backward(routing.terms[0].value);
  EXPECT_GT(test::max_abs(router->parameters()[0].value.grad().values()), 0.0F);
  EXPECT_GT(test::max_abs(scores.grad().values()), 0.0F);
  RouterOptions without = noisy();
  without.fields().find("noisy_load_coef").set("0");
  EXPECT_TRUE(make(without)->route(tape, scores, {}).terms.empty());
}

TEST(SquaredVariationTest, FormulaAndItsEdges) {
  Tape off;
  const Tensor x = Tensor::from({4}, std::vector<float>{1.0F, 2.0F, 3.0F, 6.0F});
  EXPECT_NEAR(ops::squared_variation(off, x).item(), 3.5F / 9.0F, 1e-6F);  // variance 3.5, mean 3
  EXPECT_EQ(ops::squared_variation(off, Tensor::full({1}, 7.0F)).item(), 0.0F);
  EXPECT_EQ(ops::squared_variation(off, Tensor::zeros({4})).item(), 0.0F);
  const Tensor inputs = test::random_tensor({5}, 3);
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> one) { return ops::squared_variation(tape, one[0]); }, {&inputs, 1}, 1e-3F,
      1e-2F));
}

TEST(SquaredVariationTest, GradientAtPerfectBalanceIsZeroNotNaN) {
  Tensor x = Tensor::full({4}, 2.0F);
  x.set_requires_grad(true);
  Tape tape(Tape::Mode::kRecording);
  tape.backward(ops::squared_variation(tape, x));
  for (const float gradient : x.grad().values()) EXPECT_EQ(gradient, 0.0F);
}

}  // namespace noisy_top_k_test
}  // namespace witan
