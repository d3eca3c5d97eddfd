// Capacities against the formula by hand.
#include "dispatch/capacity.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace witan {
namespace capacity_test {

TEST(CapacityTest, RoundsAsTold) {
  const auto capacity = [](CapacityRounding rounding, std::int64_t requested) {
    return expert_capacity({1.25, rounding, 1}, requested, 8);
  };
  EXPECT_EQ(capacity(CapacityRounding::kCeil, 100), 16);  // 15.625
  EXPECT_EQ(capacity(CapacityRounding::kFloor, 100), 15);
  EXPECT_EQ(capacity(CapacityRounding::kRound, 100), 16);
  EXPECT_EQ(capacity(CapacityRounding::kRound, 98), 15);  // 15.3125
  EXPECT_EQ(capacity(CapacityRounding::kCeil, 64), 10);
}

TEST(CapacityTest, WholeProductsStayWhole) {
  EXPECT_EQ(expert_capacity({1.1, CapacityRounding::kCeil, 1}, 100, 10), 11);  // 11.000000000000002 in binary
  EXPECT_EQ(expert_capacity({0.7, CapacityRounding::kFloor, 1}, 100, 10), 7);  // 6.999999999999999
}

TEST(CapacityTest, MinimumAndUnlimited) {
  EXPECT_EQ(expert_capacity({1.0, CapacityRounding::kCeil, 4}, 8, 8), 4);
  EXPECT_EQ(expert_capacity({1.0, CapacityRounding::kCeil, 4}, 0, 8), 4);
  EXPECT_EQ(expert_capacity({0.0, CapacityRounding::kCeil, 4}, 8, 8), kUnlimitedCapacity);
  EXPECT_EQ(expert_capacity({1e6, CapacityRounding::kCeil, 4}, 1000, 8), 1000);
}

TEST(CapacityTest, MultiplesAreRoundedUpTo) {
  EXPECT_EQ(expert_capacity({1.0, CapacityRounding::kRound, 1, 4}, 49, 10), 8);
  EXPECT_EQ(expert_capacity({1.0, CapacityRounding::kRound, 1, 4}, 80, 10), 8);
  EXPECT_EQ(expert_capacity({1.0, CapacityRounding::kRound, 1, 4}, 0, 10), 4);
}

TEST(CapacityTest, FractionOfTheRows) {
  EXPECT_EQ(fraction_capacity(0.25, 100), 25);
  EXPECT_EQ(fraction_capacity(0.25, 101), 26);
  EXPECT_EQ(fraction_capacity(0.1, 30), 3);
  EXPECT_EQ(fraction_capacity(0.25, 0), 0);
}

TEST(CapacityTest, NamesOfRoundings) {
  for (const std::string& name : capacity_rounding_names()) EXPECT_NO_THROW(parse_capacity_rounding(name));
  EXPECT_THROW(parse_capacity_rounding("up"), Error);
}

}  // namespace capacity_test
}  // namespace witan
