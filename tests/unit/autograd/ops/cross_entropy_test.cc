// The fused loss: values against a plain softmax in double, gradients against central differences, what is refused.
#include "autograd/ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "base/random.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/isa.h"

namespace witan {
namespace autograd_ops_cross_entropy_test {

using Inputs = std::span<const Tensor>;

std::vector<std::int32_t> random_targets(std::int64_t rows, std::int64_t vocabulary) {
  Random random(9);
  std::vector<std::int32_t> targets(static_cast<std::size_t>(rows));
  for (auto& target : targets) target = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  return targets;
}

double plain_loss(ConstMatrix hidden, ConstMatrix weight, std::int64_t row, std::int32_t target) {
  std::vector<double> logits(static_cast<std::size_t>(weight.rows), 0.0);
  double largest = -1e300;
  for (std::int64_t v = 0; v < weight.rows; ++v) {
    double& logit = logits[static_cast<std::size_t>(v)];
    for (std::int64_t d = 0; d < weight.cols; ++d) {
      logit += static_cast<double>(hidden(row, d)) * static_cast<double>(weight(v, d));
    }
    largest = std::max(largest, logit);
  }
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(target)];
}

TEST(CrossEntropyTest, EqualsAPlainSoftmaxAcrossChunks) {
  struct Case {
    std::int64_t rows, width, vocabulary;
  };
  for (const auto& [rows, width, vocabulary] : {Case{1, 1, 1}, Case{3, 5, 2}, Case{300, 17, 33}, Case{515, 8, 1025}}) {
    const Tensor hidden = test::random_tensor({rows, width}, 1);
    const Tensor weight = test::random_tensor({vocabulary, width}, 2);
    std::vector<std::int32_t> targets = random_targets(rows, vocabulary);
    if (rows > 2) targets[1] = ops::kIgnoreTarget;
    std::vector<float> row_losses(targets.size(), -1.0F);
    std::vector<float> expected(targets.size(), 0.0F);
    double total = 0.0;
    int counted = 0;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      if (targets[t] < 0) continue;
      const double loss = plain_loss(hidden.matrix(), weight.matrix(), static_cast<std::int64_t>(t), targets[t]);
      expected[t] = static_cast<float>(loss);
      total += loss;
      ++counted;
    }
    test::for_each_isa([&] {
      for (const Tape::Mode mode : {Tape::Mode::kOff, Tape::Mode::kRecording}) {
        Tape tape(mode);
        std::fill(row_losses.begin(), row_losses.end(), -1.0F);
        const Tensor loss = ops::cross_entropy(tape, hidden, weight, targets, row_losses);
        EXPECT_NEAR(loss.item(), total / counted, 2e-6 * (1.0 + total / counted));
        EXPECT_TRUE(
            test::near(row_losses, expected, test::accumulation_tolerance(width, test::max_abs(expected) + 1.0F)));
      }
    });
  }
}

TEST(CrossEntropyTest, GradientsMatchCentralDifferences) {
  std::vector<std::int32_t> targets = random_targets(6, 11);
  targets[2] = ops::kIgnoreTarget;
  const std::vector<Tensor> inputs = {test::random_tensor({6, 4}, 1), test::random_tensor({11, 4}, 2)};
  const auto loss = [&](Tape& tape, Inputs x) { return ops::cross_entropy(tape, x[0], x[1], targets); };
  test::for_each_isa([&] { EXPECT_TRUE(test::gradients_match(loss, inputs)); });
  const auto scaled = [&](Tape& tape, Inputs x) { return ops::scale(tape, loss(tape, x), 0.25F); };
  EXPECT_TRUE(test::gradients_match(scaled, inputs));
  for (const std::size_t alone : {0U, 1U}) {
    std::vector<Tensor> one = inputs;
    one[1 - alone] = one[1 - alone].detached();
    EXPECT_TRUE(test::gradients_match(loss, one));
  }
}

TEST(CrossEntropyTest, GradientsAccumulateOverMicroBatches) {
  const Tensor hidden = test::random_tensor({4, 3}, 1);
  const Tensor weight = test::random_tensor({5, 3}, 2);
  const std::vector<std::int32_t> targets = {0, 4, 2, 1};
  const auto backward = [&](float factor) {
    Tape tape(Tape::Mode::kRecording);
    tape.backward(ops::scale(tape, ops::cross_entropy(tape, hidden, weight, targets), factor));
  };
  backward(1.0F);
  const std::vector<float> whole(weight.grad().values().begin(), weight.grad().values().end());
  weight.grad().clear();
  hidden.grad().clear();
  backward(0.5F);
  backward(0.5F);
  EXPECT_TRUE(test::near(weight.grad().values(), whole, 1e-7F));
}

TEST(CrossEntropyTest, HugeLogitsStayFinite) {
  const Tensor hidden = Tensor::full({1, 1}, 1.0F);
  Tensor weight = Tensor::from({3, 1}, std::vector<float>{1e4F, -1e4F, 0.0F});
  weight.set_requires_grad(true);
  Tape tape(Tape::Mode::kRecording);
  const Tensor loss = ops::cross_entropy(tape, hidden, weight, std::vector<std::int32_t>{1});
  EXPECT_EQ(loss.item(), 2e4F);
  tape.backward(loss);
  EXPECT_TRUE(test::near(weight.grad().values(), std::vector<float>{1.0F, -1.0F, 0.0F}, 1e-7F));
}

// One bad weight must not be smoothed over, wherever its logit stands in the row.
TEST(CrossEntropyTest, ANanOrInfiniteLogitMakesTheLossNan) {
  constexpr std::int64_t kVocabulary = 37;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    for (const std::int64_t place : {0, 15, 16, 33, 36}) {
      for (const std::int64_t vocabulary : {place + 1, kVocabulary}) {
        const Tensor hidden = test::random_tensor({1, 1}, 1);
        const Tensor weight = test::random_tensor({vocabulary, 1}, 2);
        weight.data()[place] = bad;
        test::for_each_isa([&] {
          Tape tape(Tape::Mode::kRecording);
          const Tensor loss = ops::cross_entropy(tape, hidden, weight, std::vector<std::int32_t>{0});
          EXPECT_TRUE(std::isnan(loss.item())) << bad << " at " << place << " of " << vocabulary;
          tape.backward(loss);
          EXPECT_TRUE(std::isnan(weight.grad().values()[0]));
          weight.grad().clear();
          hidden.grad().clear();
        });
      }
    }
  }
}

TEST(CrossEntropyTest, RefusesWhatDoesNotFit) {
  Tape tape;
  const Tensor hidden = Tensor::zeros({2, 3});
  const auto message = [&](const Tensor& weight, const std::vector<std::int32_t>& targets) {
    return test::error_message([&] { ops::cross_entropy(tape, hidden, weight, targets); });
  };
  const Tensor weight = Tensor::zeros({5, 3});
  EXPECT_EQ(message(Tensor::zeros({5, 4}), {0, 0}),
            "cross_entropy: hidden [2, 3], weight [5, 4] and 2 targets do not fit: expected [T, D], [V, D] and T");
  EXPECT_EQ(message(weight, {0}),
            "cross_entropy: hidden [2, 3], weight [5, 3] and 1 targets do not fit: expected [T, D], [V, D] and T");
  EXPECT_EQ(message(weight, {0, 5}), "cross_entropy: target 5 at row 1 is outside [0, 5) and not -1");
  EXPECT_EQ(message(weight, {-2, 0}), "cross_entropy: target -2 at row 0 is outside [0, 5) and not -1");
  EXPECT_EQ(message(weight, {-1, -1}), "cross_entropy: none of the 2 rows has a target that counts");
}

// -log (sum over i of softmax(priors)[i] softmax(latents[i] weight')[target]) of each row, in double.
std::vector<float> plain_mixture_losses(const Tensor& latents, const Tensor& priors, const Tensor& weight,
                                        std::span<const std::int32_t> targets) {
  const std::int64_t count = priors.cols();
  const ConstMatrix all(latents.data(), priors.rows() * count, weight.cols());
  std::vector<float> losses;
  for (std::int64_t t = 0; t < priors.rows(); ++t) {
    double total = 0.0;
    double probability = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double prior = std::exp(static_cast<double>(priors.matrix()(t, i)));
      total += prior;
      probability +=
          prior * std::exp(-plain_loss(all, weight.matrix(), t * count + i, targets[static_cast<std::size_t>(t)]));
    }
    losses.push_back(static_cast<float>(std::log(total) - std::log(probability)));
  }
  return losses;
}

TEST(MixtureCrossEntropyTest, EqualsPlainSoftmaxesMixedAcrossChunks) {
  for (const std::int64_t count : {1, 2, 5, 300}) {
    const std::int64_t rows = count == 300 ? 2 : 140;
    const Tensor latents = test::random_tensor({rows, count * 7}, 1);
    const Tensor priors = test::random_tensor({rows, count}, 2, 3.0F);
    const Tensor weight = test::random_tensor({33, 7}, 3);
    const std::vector<std::int32_t> targets = random_targets(rows, 33);
    const std::vector<float> expected = plain_mixture_losses(latents, priors, weight, targets);
    test::for_each_isa([&] {
      std::vector<float> losses(targets.size());
      Tape off;
      ops::mixture_cross_entropy(off, latents, priors, weight, targets, losses);
      EXPECT_TRUE(test::near(losses, expected, test::accumulation_tolerance(7, test::max_abs(expected) + 1.0F)))
          << count;
    });
  }
}

TEST(MixtureCrossEntropyTest, OneSoftmaxIsThePlainLossBitForBit) {
  const Tensor hidden = test::random_tensor({300, 8}, 1);
  const Tensor weight = test::random_tensor({33, 8}, 2);
  const Tensor priors = test::random_tensor({300, 1}, 3);
  const std::vector<std::int32_t> targets = random_targets(300, 33);
  std::vector<std::vector<float>> results;
  for (const bool mixture : {false, true}) {
    Tape tape(Tape::Mode::kRecording);
    const Tensor loss = mixture ? ops::mixture_cross_entropy(tape, hidden, priors, weight, targets)
                                : ops::cross_entropy(tape, hidden, weight, targets);
    hidden.grad().clear();
    weight.grad().clear();
    tape.backward(loss);
    std::vector<float>& all = results.emplace_back(1, loss.item());
    for (const Tensor* const tensor : {&hidden, &weight}) {
      all.insert(all.end(), tensor->grad().values().begin(), tensor->grad().values().end());
    }
  }
  EXPECT_TRUE(test::identical(results[1], results[0]));
  EXPECT_EQ(test::max_abs(priors.grad().values()), 0.0F);
}

TEST(MixtureCrossEntropyTest, GradientsMatchCentralDifferences) {
  std::vector<std::int32_t> targets = random_targets(5, 11);
  targets[2] = ops::kIgnoreTarget;
  const std::vector<Tensor> inputs = {test::random_tensor({5, 3 * 4}, 1), test::random_tensor({5, 3}, 2),
                                      test::random_tensor({11, 4}, 3)};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, Inputs x) { return ops::mixture_cross_entropy(tape, x[0], x[1], x[2], targets); }, inputs));
}

TEST(MixtureCrossEntropyTest, ShapesThatDoNotFitAreRefused) {
  Tape off;
  const std::vector<std::int32_t> targets = {0, 1};
  EXPECT_THROW(
      ops::mixture_cross_entropy(off, Tensor::zeros({2, 7}), Tensor::zeros({2, 2}), Tensor::zeros({3, 4}), targets),
      Error);
  EXPECT_THROW(
      ops::mixture_cross_entropy(off, Tensor::zeros({3, 8}), Tensor::zeros({3, 2}), Tensor::zeros({3, 4}), targets),
      Error);
}

}  // namespace autograd_ops_cross_entropy_test
}  // namespace witan
