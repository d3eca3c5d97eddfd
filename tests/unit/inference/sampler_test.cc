// Sampler: what each truncation keeps, how often each token comes, and that the seed decides.
#include "inference/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "support/error_message.h"

namespace witan {
namespace sampler_test {

const std::vector<float> kLogits = {1.0F, 3.0F, -2.0F, 2.0F, 0.0F, 2.5F};

SamplingOptions plain() {
  SamplingOptions options;
  options.temperature = 1.0;
  options.top_p = 1.0;
  return options;
}

std::vector<double> frequencies(const SamplingOptions& options, int draws, std::span<const std::int32_t> history = {}) {
  Sampler sampler(options);
  std::vector<double> counts(kLogits.size());
  for (int i = 0; i < draws; ++i) counts.at(static_cast<std::size_t>(sampler.sample(kLogits, history))) += 1.0;
  for (double& count : counts) count /= draws;
  return counts;
}

// Probabilities of the tokens in `kept`, from logits / temperature.
std::vector<double> expected(const std::set<int>& kept, double temperature = 1.0) {
  std::vector<double> weights(kLogits.size());
  double total = 0.0;
  for (const int id : kept) {
    weights.at(static_cast<std::size_t>(id)) =
        std::exp(static_cast<double>(kLogits.at(static_cast<std::size_t>(id))) / temperature);
    total += weights.at(static_cast<std::size_t>(id));
  }
  for (double& weight : weights) weight /= total;
  return weights;
}

void expect_distribution(const std::vector<double>& actual, const std::vector<double>& wanted, int draws) {
  for (std::size_t id = 0; id < wanted.size(); ++id) {
    // Five standard deviations of a binomial share; a token that cannot be drawn never is.
    const double spread = 5.0 * std::sqrt(wanted[id] * (1.0 - wanted[id]) / draws);
    EXPECT_NEAR(actual[id], wanted[id], spread) << "token " << id;
  }
}

constexpr int kDraws = 20000;
const std::set<int> kAll = {0, 1, 2, 3, 4, 5};

TEST(SamplerTest, DrawsFromTheSoftmax) { expect_distribution(frequencies(plain(), kDraws), expected(kAll), kDraws); }

TEST(SamplerTest, TemperatureDividesTheLogits) {
  SamplingOptions options = plain();
  options.temperature = 2.5;
  expect_distribution(frequencies(options, kDraws), expected(kAll, 2.5), kDraws);
}

TEST(SamplerTest, TopKKeepsTheKLargest) {
  SamplingOptions options = plain();
  options.top_k = 3;
  expect_distribution(frequencies(options, kDraws), expected({1, 5, 3}), kDraws);
  options.top_k = 100;
  expect_distribution(frequencies(options, kDraws), expected(kAll), kDraws);
}

TEST(SamplerTest, TopPKeepsTheSmallestSetThatReachesTheShare) {
  const std::vector<double> all = expected(kAll);
  SamplingOptions options = plain();
  options.top_p = all[1] + all[5] - 1e-4;  // just reached by two
  expect_distribution(frequencies(options, kDraws), expected({1, 5}), kDraws);
  options.top_p = all[1] + all[5] + 1e-4;  // needs a third
  expect_distribution(frequencies(options, kDraws), expected({1, 5, 3}), kDraws);
  options.top_p = 0.0;  // the likeliest always stays
  expect_distribution(frequencies(options, 100), expected({1}), 100);
}

TEST(SamplerTest, TopPCountsTheShareAmongTheTopK) {
  const std::vector<double> of_three = expected({1, 5, 3});
  SamplingOptions options = plain();
  options.top_k = 3;
  options.top_p = of_three[1] + of_three[5] - 1e-4;
  expect_distribution(frequencies(options, kDraws), expected({1, 5}), kDraws);
}

TEST(SamplerTest, MinPIsAShareOfTheLargest) {
  SamplingOptions options = plain();
  options.min_p = std::exp(-1.01);  // logits of at least 3 - 1.01
  expect_distribution(frequencies(options, kDraws), expected({1, 5, 3}), kDraws);
  options.min_p = 1.0;
  expect_distribution(frequencies(options, 100), expected({1}), 100);
}

TEST(SamplerTest, RepetitionPenaltyLowersTokensOfTheHistoryOnce) {
  SamplingOptions options = plain();
  options.repetition_penalty = 2.0;
  const std::vector<std::int32_t> history = {1, 2, 1, 1};
  const std::vector<double> actual = frequencies(options, kDraws, history);
  // Token 1: 3 / 2, token 2: -2 * 2.
  std::vector<double> weights = {std::exp(1.0), std::exp(1.5), std::exp(-4.0), std::exp(2.0), 1.0, std::exp(2.5)};
  double total = 0.0;
  for (const double weight : weights) total += weight;
  for (double& weight : weights) weight /= total;
  expect_distribution(actual, weights, kDraws);
}

TEST(SamplerTest, GreedyTakesTheLargestAndTheLowestOfTies) {
  SamplingOptions options;
  options.temperature = 0.0;
  Sampler sampler(options);
  EXPECT_EQ(sampler.sample(kLogits, {}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{0.0F, 7.0F, 7.0F}, {}), 1);
  options.repetition_penalty = 10.0;
  const std::vector<std::int32_t> history = {1};
  EXPECT_EQ(Sampler(options).sample(kLogits, history), 5);
}

TEST(SamplerTest, TiesAtTheEdgeOfTopKGoToTheLowestId) {
  SamplingOptions options = plain();
  options.top_k = 2;
  Sampler sampler(options);
  std::set<std::int32_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(sampler.sample(std::vector<float>(50, 1.0F), {}));
  EXPECT_EQ(seen, (std::set<std::int32_t>{0, 1}));
}

TEST(SamplerTest, SeedDecides) {
  SamplingOptions options = plain();
  const auto draws = [&options] {
    Sampler sampler(options);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(sampler.sample(kLogits, {}));
    return ids;
  };
  const auto first = draws();
  EXPECT_EQ(draws(), first);
  options.seed = 1;
  EXPECT_NE(draws(), first);
}

TEST(SamplerTest, ImpossibleTokensAreNeverDrawn) {
  constexpr float kImpossible = -std::numeric_limits<float>::infinity();
  Sampler sampler(plain());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sampler.sample(std::vector<float>{kImpossible, 0.0F, kImpossible}, {}), 1);
  }
}

TEST(SamplerTest, RefusesDamagedLogitsAndOptions) {
  Sampler sampler(plain());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THROW(sampler.sample(std::vector<float>{0.0F, std::nanf("")}, {}), Error);
  EXPECT_THROW(sampler.sample(std::vector<float>{0.0F, kInfinity}, {}), Error);
  EXPECT_THROW(sampler.sample(std::vector<float>{-kInfinity, -kInfinity}, {}), Error);
  EXPECT_THROW(sampler.sample(std::vector<float>{}, {}), Error);
  for (const auto change :
       {+[](SamplingOptions& o) { o.temperature = -1.0; }, +[](SamplingOptions& o) { o.top_p = 1.5; },
        +[](SamplingOptions& o) { o.min_p = std::nan(""); }, +[](SamplingOptions& o) { o.top_k = -1; },
        +[](SamplingOptions& o) { o.repetition_penalty = 0.0; }}) {
    SamplingOptions options;
    change(options);
    EXPECT_THROW(Sampler{options}, Error);
  }
}

// As NoRepeatNGramLogitsProcessor: what followed the same beginning before may not follow it again.
TEST(SamplerTest, NoRunOfTokensComesTwice) {
  SamplingOptions options = plain();
  options.temperature = 0.0;
  options.no_repeat_ngram_size = 3;
  const auto drawn = [&](const std::vector<std::int32_t>& history) {
    return Sampler(options).sample(kLogits, history);
  };
  EXPECT_EQ(drawn({}), 1);
  EXPECT_EQ(drawn({4, 0, 1, 2, 4, 0}), 5) << "4 0 1 stands there already";
  EXPECT_EQ(drawn({4, 0, 1, 4, 0, 5, 4, 0}), 3);
  EXPECT_EQ(drawn({0, 1, 2, 4, 0}), 1) << "4 0 was followed by nothing";
  EXPECT_EQ(drawn({4, 0}), 1);
  options.no_repeat_ngram_size = 1;
  EXPECT_EQ(drawn({1, 5}), 3);
  EXPECT_NE(test::error_message([&] {
              drawn({0, 1, 2, 3, 4, 5});
            }).find("no_repeat_ngram_size=1 forbid every token"),
            std::string::npos);
}

TEST(SamplerTest, SuppressedTokensAreNotSaid) {
  SamplingOptions options = plain();
  options.suppress_tokens = {1, 4, 900};
  expect_distribution(frequencies(options, kDraws), expected({0, 2, 3, 5}), kDraws);
  options.temperature = 0.0;
  options.begin_suppress_tokens = {5};
  Sampler sampler(options);
  EXPECT_EQ(sampler.sample(kLogits, {}), 3);
  EXPECT_EQ(sampler.sample(kLogits, {}), 5) << "at the beginning only";
}

}  // namespace sampler_test
}  // namespace witan
