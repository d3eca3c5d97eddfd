// Random: known answers, seeking, moments.
#include "base/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace witan {
namespace {

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

TEST(RandomTest, BelowStaysBelowAndReachesEverything) {
  Random random(5);
  std::vector<int> seen(7);
  for (int i = 0; i < 1000; ++i) ++seen.at(random.below(7));
  for (const int count : seen) EXPECT_GT(count, 80);
}

}  // namespace
}  // namespace witan
