// Each weighting against its formula written out in double, and its gradients.
#include "routers/weighting.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "routers/token_choice.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace weighting_test {

constexpr std::int64_t kExperts = 5;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// The weights of one row, from the definitions of the specification.
std::vector<float> reference(std::span<const float> h, std::span<const std::int32_t> selected,
                             const WeightingRule& rule) {
  double normalizer = 0.0;
  for (const float score : h) normalizer += std::exp(static_cast<double>(score));
  const auto p = [&](std::int32_t e) {
    return std::exp(static_cast<double>(h[static_cast<std::size_t>(e)])) / normalizer;
  };
  const auto s = [&](std::int32_t e) { return sigmoid(static_cast<double>(h[static_cast<std::size_t>(e)])); };
  const auto n = static_cast<double>(rule.norm_order);
  double sum_p = 0.0;
  double sum_pn = 0.0;
  double sum_s = 0.0;
  for (const std::int32_t e : selected) {
    sum_p += p(e);
    sum_pn += std::pow(p(e), n);
    sum_s += s(e);
  }
  std::vector<float> weights;
  for (const std::int32_t e : selected) {
    double weight = 0.0;
    switch (rule.weighting) {
      case Weighting::kSoftmaxThenTopK:
        weight = p(e);
        break;
      case Weighting::kTopKThenSoftmax:
        weight = p(e) / sum_p;
        break;
      case Weighting::kSoftmaxTopKNorm:
        weight = p(e) / std::pow(sum_pn, 1.0 / n);
        break;
      case Weighting::kSigmoidTopKNorm:
        weight = static_cast<double>(rule.scale) * s(e) / sum_s;
        break;
      case Weighting::kScaled:
        weight = static_cast<double>(rule.scale) * p(e);
        break;
      case Weighting::kSigmoidScaled:
        weight = static_cast<double>(rule.scale) * s(e);
        break;
    }
    weights.push_back(static_cast<float>(weight));
  }
  return weights;
}

std::vector<WeightingRule> rules() {
  std::vector<WeightingRule> all;
  for (const std::string& name : weighting_names()) all.push_back({parse_weighting(name), 2.5F, 1.0F});
  all.push_back({Weighting::kSoftmaxTopKNorm, 1.0F, 2.0F});
  return all;
}

Tensor weights_of(Tape& tape, const Tensor& scores, std::int64_t k, const WeightingRule& rule,
                  std::span<const std::uint8_t> mask = {}) {
  const Tensor probabilities = routing_probabilities(tape, scores, rule.weighting);
  return choice_weights(tape, scores, probabilities, choose_top_k(scores, k, mask), rule);
}

TEST(WeightingTest, MatchesItsFormula) {
  const Tensor scores = test::random_tensor({7, kExperts}, 1, 2.0F);
  for (const WeightingRule& rule : rules()) {
    for (const std::int64_t k : {1, 2, 5}) {
      Tape off;
      const Tensor weights = weights_of(off, scores, k, rule);
      const Choices choices = choose_top_k(scores, k, {});
      std::vector<float> expected;
      for (std::int64_t row = 0; row < 7; ++row) {
        const std::vector<float> one = reference({scores.matrix().row(row), kExperts},
                                                 {choices.experts.data() + row * k, static_cast<std::size_t>(k)}, rule);
        expected.insert(expected.end(), one.begin(), one.end());
      }
      EXPECT_TRUE(test::near(weights.values(), expected, 2e-6F)) << weighting_formula(rule.weighting) << ", k=" << k;
    }
  }
}

TEST(WeightingTest, GradientsMatchCentralDifferences) {
  // Scores far enough apart that no step of the difference changes the selection.
  Tensor scores = Tensor::from({3, kExperts}, std::vector<float>{0.3F, 1.1F, -0.6F, 0.7F, -1.2F,  //
                                                                 -0.5F, 0.1F, 0.8F, -1.0F, 1.6F,  //
                                                                 2.0F, 0.2F, -0.3F, 1.3F, 0.6F});
  scores.set_requires_grad(true);
  for (const WeightingRule& rule : rules()) {
    for (const std::int64_t k : {2, 3, 5}) {
      EXPECT_TRUE(
          test::gradients_match([&](Tape& tape, std::span<const Tensor> x) { return weights_of(tape, x[0], k, rule); },
                                {&scores, 1}, 1e-2F, 2e-3F))
          << weighting_formula(rule.weighting) << ", k=" << k;
    }
  }
}

// 64 even probabilities to the power 64 are far below the smallest float; the norm is not.
TEST(WeightingTest, LargeNormOrdersOfManyExpertsStayFinite) {
  constexpr std::int64_t kMany = 64;
  const WeightingRule rule{Weighting::kSoftmaxTopKNorm, 1.0F, 64.0F};
  Tensor scores = Tensor::zeros({2, kMany});
  for (std::int64_t e = 0; e < kMany; ++e) scores.matrix()(1, e) = 0.01F * static_cast<float>((e * 37) % kMany);
  for (const std::int64_t k : {std::int64_t{1}, std::int64_t{6}, kMany}) {
    Tape off;
    const Tensor weights = weights_of(off, scores, k, rule);
    const Choices choices = choose_top_k(scores, k, {});
    std::vector<float> expected;
    for (std::int64_t row = 0; row < 2; ++row) {
      const std::vector<float> one = reference({scores.matrix().row(row), static_cast<std::size_t>(kMany)},
                                               {choices.experts.data() + row * k, static_cast<std::size_t>(k)}, rule);
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_TRUE(test::near(weights.values(), expected, 4e-6F)) << k;
  }
  // One row without ties: a step must not change the order of the choices.
  Tensor distinct =
      Tensor::from({1, kMany}, std::vector<float>(scores.matrix().row(1), scores.matrix().row(1) + kMany));
  distinct.set_requires_grad(true);
  EXPECT_TRUE(
      test::gradients_match([&](Tape& tape, std::span<const Tensor> x) { return weights_of(tape, x[0], kMany, rule); },
                            {&distinct, 1}, 1e-3F, 5e-3F));
}

TEST(WeightingTest, ProbabilitiesSumToOneAndHaveGradients) {
  const Tensor scores = test::random_tensor({6, kExperts}, 3);
  for (const Weighting weighting : {Weighting::kSoftmaxThenTopK, Weighting::kSigmoidTopKNorm}) {
    Tape off;
    const Tensor probabilities = routing_probabilities(off, scores, weighting);
    for (std::int64_t row = 0; row < 6; ++row) {
      float sum = 0.0F;
      for (std::int64_t e = 0; e < kExperts; ++e) sum += probabilities.matrix()(row, e);
      EXPECT_NEAR(sum, 1.0F, 1e-6F);
    }
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) { return routing_probabilities(tape, x[0], weighting); },
        {&scores, 1}, 1e-2F, 2e-3F));
  }
}

TEST(WeightingTest, ExtremeScoresStayFinite) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Tensor scores = Tensor::from({4, 3}, std::vector<float>{1e30F, -1e30F, 0.0F,        // one is all
                                                          -200.0F, -201.0F, -300.0F,  // every sigmoid underflows
                                                          88.0F, 89.0F, 90.0F,        // every exp overflows
                                                          -kInf, 0.5F, -kInf});       // an expert of weight 0 is chosen
  scores.set_requires_grad(true);
  for (const WeightingRule& rule : rules()) {
    Tape tape(Tape::Mode::kRecording);
    scores.grad().clear();
    const Tensor weights = weights_of(tape, scores, 2, rule);
    for (const float weight : weights.values()) EXPECT_TRUE(std::isfinite(weight)) << weighting_formula(rule.weighting);
    if (is_renormalized(rule.weighting) && rule.norm_order == 1.0F) {
      for (std::int64_t row = 0; row < 4; ++row) {
        const float scale = rule.weighting == Weighting::kSigmoidTopKNorm ? rule.scale : 1.0F;
        EXPECT_NEAR(weights.matrix()(row, 0) + weights.matrix()(row, 1), scale, 1e-5F)
            << weighting_formula(rule.weighting) << " row " << row;
      }
    }
    tape.backward(weights, Tensor::full(weights.shape(), 1.0F));
    for (const float g : scores.grad().values()) EXPECT_TRUE(std::isfinite(g)) << weighting_formula(rule.weighting);
  }
}

TEST(WeightingTest, OneExpertHasWeightOneExactly) {
  const Tensor scores = test::random_tensor({9, 1}, 4, 30.0F);
  for (const WeightingRule& rule : rules()) {
    if (is_sigmoid(rule.weighting) || rule.weighting == Weighting::kScaled) continue;  // times scale
    Tape off;
    const Tensor weights = weights_of(off, scores, 1, rule);
    for (const float weight : weights.values()) EXPECT_EQ(weight, 1.0F);
  }
}

TEST(WeightingTest, MaskedRowsWeighNothing) {
  const Tensor scores = test::random_tensor({2, kExperts}, 5);
  const std::vector<std::uint8_t> mask = {0, 1};
  Tape tape(Tape::Mode::kRecording);
  const Tensor weights = weights_of(tape, scores, 2, {}, mask);
  EXPECT_EQ(weights.values()[0], 0.0F);
  EXPECT_EQ(weights.values()[1], 0.0F);
  EXPECT_GT(weights.values()[2], 0.0F);
  tape.backward(weights, Tensor::from({2, 2}, std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F}));
  EXPECT_EQ(test::max_abs(scores.grad().values().first(kExperts)), 0.0F);
  EXPECT_GT(test::max_abs(scores.grad().values().last(kExperts)), 0.0F);
}

TEST(WeightingTest, RowsMayMakeFewerChoices) {
  Tensor scores = test::random_tensor({2, kExperts}, 5);
  const Choices choices{2, kExperts, 3, {4, 1, kNoExpert, 0, kNoExpert, kNoExpert}};
  for (const WeightingRule& rule : rules()) {
    const auto weights = [&](Tape& tape, std::span<const Tensor> x) {
      return choice_weights(tape, x[0], routing_probabilities(tape, x[0], rule.weighting), choices, rule);
    };
    Tape off;
    const Tensor result = weights(off, {&scores, 1});
    const std::vector<float> first = reference({scores.data(), kExperts}, std::vector<std::int32_t>{4, 1}, rule);
    EXPECT_TRUE(test::near(result.values().first(2), first, 2e-6F));
    for (const std::size_t slot : {2, 4, 5}) EXPECT_EQ(result.values()[slot], 0.0F);
    EXPECT_TRUE(test::gradients_match(weights, {&scores, 1}, 1e-2F, 2e-3F)) << weighting_formula(rule.weighting);
  }
}

TEST(WeightingTest, UnknownNameSuggests) {
  try {
    parse_weighting("softmax_than_topk");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("softmax_then_topk"), std::string::npos) << error.what();
  }
}

}  // namespace weighting_test
}  // namespace witan
