// Random: known answers, seeking, moments.
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "base/parallel.h"

namespace witan {
namespace random_test {

TEST(RandomTest, MatchesThePublishedVectorOfPhilox) {
  // Random123 known answer: philox4x32-10, counter 0, key 0.
  Random random(0, 0);
  EXPECT_EQ(random.bits(), 0x6627e8d5U);
  EXPECT_EQ(random.bits(), 0xe169c58dU);
  EXPECT_EQ(random.bits(), 0xbc57ac4cU);
  EXPECT_EQ(random.bits(), 0x9b00dbd8U);
}

TEST(RandomTest, SeekContinuesBitForBit) {
  for (std::uint64_t position = 0; position < 9; ++position) {
    Random straight(3, 4);
    for (std::uint64_t i = 0; i < position; ++i) straight.bits();
    Random sought(3, 4);
    sought.seek(position);
    EXPECT_EQ(sought.bits(), straight.bits()) << position;
    EXPECT_EQ(sought.bits(), straight.bits()) << position;
  }
}

TEST(RandomTest, NormalHasUnitVariance) {
  Random random(1);
  double sum = 0.0;
  double squares = 0.0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = random.normal();
    sum += draw;
    squares += draw * draw;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.03);
}

// A fill of one thread value by value, of several threads, and of a piece sought alone: one and the same.
TEST(RandomTest, FillsAreTheSameForAnyNumberOfThreads) {
  constexpr std::size_t kValues = 20011;
  struct Fill {
    std::function<void(Random&, std::span<float>)> draw;
    std::uint64_t words;
  };
  const int threads = num_threads();
  for (const Fill& fill : {Fill{[](Random&r, std::span<float> v) { r.fill_normal(v, 1.0F, 2.0F); }, 2},
                           Fill{[](Random&r, std::span<float> v) { r.fill_uniform(v, -1.0F, 3.0F); }, 1},
                           Fill{[](Random&r, std::span<float> v) { r.fill_truncated_normal(v, 0.5F); }, 2}}) {
    for (const std::uint64_t start : {0, 3}) {
      std::vector<float> one_by_one(kValues);
      Random straight(9, 2);
      straight.seek(start);
      for (float& value : one_by_one) fill.draw(straight, {&value, 1});
      EXPECT_EQ(straight.position(), start + fill.words * kValues);
      for (const int count : {1, 2, 3}) {
        set_num_threads(count);
        std::vector<float> at_once(kValues);
        Random random(9, 2);
        random.seek(start);
        fill.draw(random, at_once);
        EXPECT_EQ(at_once, one_by_one) << count;
        EXPECT_EQ(random.position(), straight.position());
        EXPECT_EQ(random.bits(), Random(straight).bits());
      }
      set_num_threads(threads);
    }
  }
}

TEST(RandomTest, FillNormalIsWhatNormalGives) {
  Random one(4);
  Random many(4);
  std::vector<float> values(9);
  many.fill_normal(values, 0.0F, 1.0F);
  for (const float value : values) EXPECT_EQ(value, one.normal());
}

// Moments and distribution of the normal cut at two deviations: variance 1 - 4 density(2) / erf(sqrt 2).
TEST(RandomTest, TruncatedNormalHasItsDistribution) {
  std::vector<float> values(100000);
  Random(6).fill_truncated_normal(values, 3.0F);
  const double inside = std::erf(std::numbers::sqrt2);
  const auto count = static_cast<double>(values.size());
  double squares = 0.0;
  for (const float value : values) {
    ASSERT_LE(std::fabs(value), 6.0F);
    squares += static_cast<double>(value) * static_cast<double>(value) / 9.0;
  }
  const double density = std::exp(-2.0) / std::sqrt(2.0 * std::numbers::pi);
  EXPECT_NEAR(squares / count, 1.0 - 4.0 * density / inside, 0.012);
  for (const double x : {-1.9, -1.0, 0.0, 0.5, 1.5, 1.95}) {
    const auto below = std::count_if(values.begin(), values.end(), [=](float v) { return v < 3.0 * x; });
    EXPECT_NEAR(static_cast<double>(below) / count, 0.5 + 0.5 * std::erf(x / std::numbers::sqrt2) / inside, 0.007) << x;
  }
}

TEST(RandomTest, BelowStaysBelowAndReachesEverything) {
  Random random(5);
  std::vector<int> seen(7);
  for (int i = 0; i < 1000; ++i) ++seen.at(random.below(7));
  for (const int count : seen) EXPECT_GT(count, 80);
}

}  // namespace random_test
}  // namespace witan
