// Pairs of experts, cut down to what can be shown.
#include "inspection/pairs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace witan {
namespace pairs_test {

TEST(PairsTest, MeanOfTwoDifferentAndTheStrongestOnce) {
  const std::vector<double> values = {1.0,  0.5, -0.25,  //
                                      0.1,  1.0, 0.0,    //
                                      0.75, 0.0, 1.0};
  const auto json = pairs_json(values, 3);
  EXPECT_DOUBLE_EQ(json["mean"], 0.18333) << "1.1 / 6, to five digits";
  ASSERT_EQ(json["strongest"].size(), 3U);
  EXPECT_EQ(json["strongest"][0]["a"], 2) << "the larger of both directions";
  EXPECT_EQ(json["strongest"][0]["b"], 0);
  EXPECT_EQ(json["strongest"][0]["value"], 0.75);
  EXPECT_EQ(json["strongest"][1]["value"], 0.5);
  EXPECT_EQ(json["matrix"][0][2], -0.25);
}

TEST(PairsTest, ManyExpertsHaveNoMatrix) {
  const std::vector<double> values(65 * 65, 0.5);
  const auto json = pairs_json(values, 65);
  EXPECT_TRUE(json["matrix"].is_null());
  EXPECT_EQ(json["strongest"].size(), 10U);
  EXPECT_EQ(json["mean"], 0.5);
}

TEST(PairsTest, NothingAndOneExpertAlone) {
  EXPECT_TRUE(pairs_json({}, 4).is_null());
  const std::vector<double> alone = {1.0};
  EXPECT_EQ(pairs_json(alone, 1)["mean"], 0);
  EXPECT_TRUE(pairs_json(alone, 1)["strongest"].empty());
}

}  // namespace pairs_test
}  // namespace witan
