// Ranks and quantiles against numbers worked out by hand.
#include "inspection/rank_correlation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace witan {
namespace rank_correlation_test {

using Values = std::vector<double>;

TEST(RankCorrelationTest, OrderAloneCounts) {
  EXPECT_DOUBLE_EQ(*rank_correlation(Values{1, 2, 3, 4}, Values{1, 10, 100, 1000}), 1.0);
  EXPECT_DOUBLE_EQ(*rank_correlation(Values{1, 2, 3, 4}, Values{9, 3, 2, -7}), -1.0);
  // 1 - 6 * (1 + 1 + 0 + 0) / (4 * 15)
  EXPECT_DOUBLE_EQ(*rank_correlation(Values{1, 2, 3, 4}, Values{2, 1, 3, 4}), 0.8);
}

TEST(RankCorrelationTest, TiesShareTheirMeanRank) {
  // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5).
  EXPECT_DOUBLE_EQ(*rank_correlation(Values{1, 5, 5, 7}, Values{1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5.0));
}

TEST(RankCorrelationTest, WithoutAnOrderThereIsNone) {
  EXPECT_FALSE(rank_correlation(Values{1, 1, 1}, Values{1, 2, 3}));
  EXPECT_FALSE(rank_correlation(Values{1, 2, 3}, Values{4, 4, 4}));
  EXPECT_FALSE(rank_correlation(Values{}, Values{}));
  EXPECT_FALSE(rank_correlation(Values{1}, Values{2}));
}

TEST(RankCorrelationTest, QuantilesLieBetweenNeighbours) {
  const Values values = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(*quantile(values, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(*quantile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(*quantile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(*quantile(values, 1.0), 4.0);
  EXPECT_FALSE(quantile(Values{}, 0.5));
}

}  // namespace rank_correlation_test
}  // namespace witan
