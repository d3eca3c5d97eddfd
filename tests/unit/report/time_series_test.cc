// Thinning: short runs stay as they are, long ones become bounded without losing a step.
#include "report/time_series.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "report/json_field.h"

namespace witan {
namespace time_series_test {

using nlohmann::json;

TEST(Thinning, AShortRunKeepsEveryStep) {
  const Thinning thinning(7, 100);
  EXPECT_EQ(thinning.num_points, 7);
  for (std::int64_t i = 0; i < 7; ++i) EXPECT_EQ(thinning.point(i), i);
}

TEST(Thinning, PointsOfALongRunAreEqualStretchesInOrder) {
  const Thinning thinning(1003, 10);
  std::vector<std::int64_t> counts(10);
  std::int64_t before = 0;
  for (std::int64_t i = 0; i < 1003; ++i) {
    const std::int64_t point = thinning.point(i);
    EXPECT_GE(point, before);
    EXPECT_LE(point, before + 1);
    before = point;
    ++counts.at(static_cast<std::size_t>(point));
  }
  for (const std::int64_t count : counts) EXPECT_NEAR(static_cast<double>(count), 100.3, 1.0);
}

TEST(TimeSeries, KeepsWhatItSays) {
  TimeSeries mean(1, Keep::kMean), last(1, Keep::kLast), minimum(1, Keep::kMinimum), maximum(1, Keep::kMaximum);
  for (TimeSeries* series : {&mean, &last, &minimum, &maximum}) {
    for (const double value : {4.0, -2.0, 10.0, 0.0}) series->add(0, value);
  }
  EXPECT_EQ(mean.to_json(), json({3}));
  EXPECT_EQ(last.to_json(), json({0}));
  EXPECT_EQ(minimum.to_json(), json({-2}));
  EXPECT_EQ(maximum.to_json(), json({10}));
}

TEST(TimeSeries, PassesOverWhatIsNotFinite) {
  TimeSeries series(3, Keep::kMean);
  EXPECT_FALSE(series.any());
  series.add(0, 1.5);
  series.add(0, kMissing);
  series.add(1, std::numeric_limits<double>::infinity());
  series.add(2, 2.5);
  EXPECT_TRUE(series.any());
  EXPECT_EQ(series.to_json(), json({1.5, nullptr, 2.5}));
}

TEST(Rounded, KeepsFiveDigitsAndWholeNumbers) {
  EXPECT_EQ(rounded(1.23456789).dump(), "1.2346");
  EXPECT_EQ(rounded(-0.000123456789).dump(), "-0.00012346");
  EXPECT_EQ(rounded(123456789.0).dump(), "123456789");
  EXPECT_EQ(rounded(kMissing).dump(), "null");
}

}  // namespace time_series_test
}  // namespace witan
