// Units of feed-forward networks: taken, joined, drawn anew.
#include "models/upcycling/units.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace witan {
namespace units_test {

std::vector<float> counting(std::size_t size) {
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

TEST(CopyUnitsTest, RowsOfGateAndUpColumnsOfDown) {
  const std::vector<float> source = counting(12);  // 4 units of width 3
  std::vector<float> rows(9, -1.0F);
  copy_units(unit_matrix("up_proj", std::span<const float>(source), 4), 1, 2, 1.0F,
             unit_matrix("up_proj", std::span<float>(rows), 3), 1);
  EXPECT_EQ(rows, (std::vector<float>{-1, -1, -1, 3, 4, 5, 6, 7, 8}));
  std::vector<float> columns(6, -1.0F);
  copy_units(unit_matrix("down_proj", std::span<const float>(source), 4), 2, 2, 10.0F,
             unit_matrix("down_proj", std::span<float>(columns), 2), 0);
  EXPECT_EQ(columns, (std::vector<float>{20, 30, 60, 70, 100, 110}));
  std::vector<float> bias(2);
  copy_units(unit_matrix("up_proj_bias", std::span<const float>(source).first(4), 4), 2, 2, 1.0F,
             unit_matrix("up_proj_bias", std::span<float>(bias), 2), 0);
  EXPECT_EQ(bias, (std::vector<float>{2, 3}));
  EXPECT_FALSE(has_units("down_proj_bias"));
  EXPECT_TRUE(has_units("gate_proj_bias"));
}

TEST(DrawUnitsTest, EachSetIsAscendingAndEveryUnitTurnsUp) {
  std::vector<int> seen(7, 0);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const std::vector<std::int64_t> units = draw_units(7, 3, random);
    ASSERT_EQ(units.size(), 3U);
    EXPECT_TRUE(std::is_sorted(units.begin(), units.end()));
    EXPECT_EQ(std::set(units.begin(), units.end()).size(), 3U);
    for (const std::int64_t unit : units) ++seen.at(static_cast<std::size_t>(unit));
  }
  for (const int count : seen) EXPECT_NEAR(count, 200.0 * 3.0 / 7.0, 35.0);
  Random random(1);
  EXPECT_EQ(draw_units(3, 3, random), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_TRUE(draw_units(3, 0, random).empty());
}

TEST(RedrawUnitsTest, KeepsTheOthersAndTheMoments) {
  constexpr std::int64_t kUnits = 60;
  constexpr std::int64_t kWidth = 101;
  for (const char* projection : {"up_proj", "down_proj"}) {
    std::vector<float> values(static_cast<std::size_t>(kUnits * kWidth));
    Random(3).fill_normal(values, 2.0F, 0.5F);
    const std::vector<float> before = values;
    const UnitMatrix<float> matrix = unit_matrix(projection, std::span<float>(values), kUnits);
    std::vector<std::int64_t> chosen;
    for (std::int64_t unit = 0; unit < kUnits; unit += 2) chosen.push_back(unit);
    Random random(4);
    redraw_units(matrix, chosen, random);
    std::vector<float> redrawn;
    for (std::int64_t unit = 0; unit < kUnits; ++unit) {
      for (std::int64_t i = 0; i < kWidth; ++i) {
        const std::size_t at = matrix.at(unit, i);
        if (unit % 2 == 1) {
          EXPECT_EQ(values[at], before[at]);
        } else {
          EXPECT_NE(values[at], before[at]);
          redrawn.push_back(values[at]);
        }
      }
    }
    const Moments moments = moments_of(redrawn);
    EXPECT_NEAR(moments.mean, 2.0, 0.05);
    EXPECT_NEAR(moments.deviation, 0.5, 0.03);
  }
}

TEST(AddNoiseTest, ReachesTheShareThatWasAskedForAtTheSizeOfTheTensor) {
  std::vector<float> values(20000);
  Random(3).fill_normal(values, 5.0F, 2.0F);
  const std::vector<float> before = values;
  Random random(4);
  add_noise(values, 0.1, 0.25, random);
  std::vector<float> noise;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != before[i]) noise.push_back(values[i] - before[i]);
  }
  EXPECT_NEAR(static_cast<double>(noise.size()) / 20000.0, 0.25, 0.02);
  EXPECT_NEAR(moments_of(noise).deviation, 0.2, 0.01);
  EXPECT_NEAR(moments_of(noise).mean, 0.0, 0.01);
  std::vector<float> untouched = before;
  add_noise(untouched, 0.0, 1.0, random);
  add_noise(untouched, 1.0, 0.0, random);
  EXPECT_EQ(untouched, before);
}

}  // namespace units_test
}  // namespace witan
