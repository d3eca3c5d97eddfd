// The auction against the exact optimum, and its loads.
#include "routers/auction.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "support/min_cost_flow.h"

namespace witan {
namespace auction_test {

struct Problem {
  std::vector<float> benefits;
  std::int64_t rows;
  std::vector<std::int64_t> capacities;

  ConstMatrix matrix() const { return {benefits.data(), rows, static_cast<std::int64_t>(capacities.size())}; }
};

// Whole benefits below `range`; rows are spread evenly, the first experts get the odd ones.
Problem random_problem(std::int64_t rows, std::int64_t experts, std::uint64_t range, std::uint64_t seed) {
  Problem problem{{}, rows, std::vector<std::int64_t>(static_cast<std::size_t>(experts), rows / experts)};
  for (std::int64_t i = 0; i < rows % experts; ++i) ++problem.capacities[static_cast<std::size_t>(i)];
  Random random(seed);
  for (std::int64_t i = 0; i < rows * experts; ++i) {
    problem.benefits.push_back(-static_cast<float>(random.below(range)));
  }
  return problem;
}

double total(const Problem& problem, const AuctionResult& result) {
  double sum = 0.0;
  for (std::int64_t row = 0; row < problem.rows; ++row) {
    sum += static_cast<double>(problem.matrix()(row, result.experts[static_cast<std::size_t>(row)]));
  }
  return sum;
}

std::vector<std::int64_t> loads(const Problem& problem, const AuctionResult& result) {
  std::vector<std::int64_t> counts(problem.capacities.size(), 0);
  for (const std::int32_t expert : result.experts) ++counts[static_cast<std::size_t>(expert)];
  return counts;
}

TEST(AuctionTest, IsWithinRowsTimesEpsilonOfTheOptimum) {
  for (const std::int64_t experts : {2, 3, 8, 17}) {
    for (const std::int64_t rows : {1, 5, 17, 64, 131}) {
      for (const std::uint64_t range : {2, 30, 1000}) {
        const Problem problem = random_problem(rows, experts, range, static_cast<std::uint64_t>(experts * rows));
        const double best = test::best_assignment(problem.matrix(), 1, problem.capacities);
        for (const float epsilon : {0.004F, 0.5F, 20.0F}) {
          const AuctionResult result = auction(problem.matrix(), problem.capacities, {.epsilon = epsilon});
          EXPECT_EQ(loads(problem, result), problem.capacities);
          EXPECT_EQ(result.greedy_rows, 0);
          const double slack = static_cast<double>(rows) * static_cast<double>(epsilon) * 1.01;
          EXPECT_GE(total(problem, result), best - slack)
              << "E=" << experts << " T=" << rows << " range " << range << " epsilon " << epsilon;
          EXPECT_LE(total(problem, result), best);
        }
      }
    }
  }
}

// Below 1 / T an error of whole benefits is impossible.
TEST(AuctionTest, IsExactForWholeBenefitsAndASmallEpsilon) {
  const Problem problem = random_problem(90, 6, 50, 3);
  const AuctionResult result = auction(problem.matrix(), problem.capacities, {.epsilon = 0.01F});
  EXPECT_EQ(total(problem, result), test::best_assignment(problem.matrix(), 1, problem.capacities));
}

TEST(AuctionTest, RowsThatAllWantTheSameAreSpread) {
  Problem problem = random_problem(60, 5, 1, 1);
  for (std::size_t row = 0; row < 60; ++row) problem.benefits[row * 5 + 2] = 100.0F;
  const AuctionResult result = auction(problem.matrix(), problem.capacities, {.epsilon = 0.1F});
  EXPECT_EQ(loads(problem, result), problem.capacities);
  EXPECT_EQ(total(problem, result), 1200.0);
}

TEST(AuctionTest, WithoutBidsTheRestIsPlacedGreedily) {
  const Problem problem = random_problem(64, 8, 1000, 5);
  const AuctionResult result = auction(problem.matrix(), problem.capacities, {.epsilon = 0.01F, .max_bids = 50});
  EXPECT_EQ(result.bids, 50);
  EXPECT_GT(result.greedy_rows, 0);
  EXPECT_EQ(loads(problem, result), problem.capacities);
  const AuctionResult patient = auction(problem.matrix(), problem.capacities, {.epsilon = 0.01F});
  EXPECT_GE(total(problem, patient), total(problem, result));
}

TEST(AuctionTest, OneExpertNoRowsAndExpertsWithoutRoom) {
  const Problem one = random_problem(7, 1, 10, 1);
  EXPECT_EQ(loads(one, auction(one.matrix(), one.capacities, {.epsilon = 1.0F})), one.capacities);
  const Problem none = random_problem(0, 4, 10, 1);
  EXPECT_TRUE(auction(none.matrix(), none.capacities, {.epsilon = 1.0F}).experts.empty());
  Problem closed = random_problem(4, 2, 10, 1);
  closed.capacities = {0, 4};
  EXPECT_EQ(loads(closed, auction(closed.matrix(), closed.capacities, {.epsilon = 1.0F})), closed.capacities);
}

}  // namespace auction_test
}  // namespace witan
