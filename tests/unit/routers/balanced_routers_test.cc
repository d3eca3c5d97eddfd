// Routers that share a batch out evenly (base, sinkhorn, linear_program, quantile): loads, optimality, inference.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "routers/linear_program.h"
#include "routers/sinkhorn_scaling.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/min_cost_flow.h"
#include "support/routed.h"

namespace witan {
namespace balanced_routers_test {

using test::loads_of;
using test::route;

// Whole scores, most rows leaning to the same experts.
Tensor skewed(std::int64_t rows, std::int64_t experts, std::uint64_t seed) {
  const Tensor scores = test::random_tensor({rows, experts}, seed, 20.0F);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t e = 0; e < experts; ++e) {
      scores.matrix()(row, e) = std::round(scores.matrix()(row, e)) - static_cast<float>(10 * e);
    }
  }
  return scores;
}

double total(const Tensor& scores, const Assignment& assignment) {
  double sum = 0.0;
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
    for (const std::int32_t row : assignment.rows_of(e)) sum += static_cast<double>(scores.matrix()(row, e));
  }
  return sum;
}

double max_over_mean(const std::vector<std::int64_t>& loads) {
  return static_cast<double>(*std::ranges::max_element(loads)) * static_cast<double>(loads.size()) /
         static_cast<double>(std::accumulate(loads.begin(), loads.end(), std::int64_t{0}));
}

TEST(BaseRouterTest, LoadsAreEvenAndTheTotalNearTheOptimum) {
  for (const std::int64_t rows : {1, 3, 40, 43, 200}) {
    const Tensor scores = skewed(rows, 8, 1);
    const auto router = test::router_of("base", 8, 1, {{"base_epsilon", "0.001"}});
    const Routing routing = route(*router, scores, {.training = true});
    const std::vector<std::int64_t> loads = loads_of(*routing.assignment);
    EXPECT_LE(*std::ranges::max_element(loads) - *std::ranges::min_element(loads), 1) << rows;
    const double best = test::best_assignment(scores.matrix(), 1, loads);
    // Benefits differ by 70 on average at the most: epsilon is below 0.07.
    EXPECT_GE(total(scores, *routing.assignment), best - 0.1 * static_cast<double>(rows));
    EXPECT_LE(total(scores, *routing.assignment), best);
  }
}

TEST(BaseRouterTest, SizeAndShiftsOfTheScoresDoNotMatter) {
  const Tensor scores = skewed(64, 8, 2);
  Tensor other = Tensor::uninitialized(scores.shape());
  for (std::int64_t row = 0; row < 64; ++row) {
    for (std::int64_t e = 0; e < 8; ++e) {
      other.matrix()(row, e) = 0.25F * (scores.matrix()(row, e) + static_cast<float>(8 * row));
    }
  }
  const auto router = test::router_of("base", 8, 1);
  EXPECT_EQ(test::experts_of_rows(*route(*router, scores, {.training = true}).assignment),
            test::experts_of_rows(*route(*router, other, {.training = true}).assignment));
}

TEST(BaseRouterTest, OutputIsMixedWithItsInputAndLearnsByThat) {
  std::vector<Tensor> inputs = {test::random_tensor({6, 3}, 3)};
  const Tensor rows = Tensor::zeros({6, 3});
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1, 1, 1};
  const auto router = test::router_of("base", 3, 1);
  const Routing routing = route(*router, inputs[0], {.row_mask = mask});
  for (std::int64_t row = 0; row < 6; ++row) {
    const float rest = routing.identity_weights.values()[static_cast<std::size_t>(row)];
    if (row == 2) {
      EXPECT_EQ(rest, 0.0F) << "padding";
      continue;
    }
    const std::int64_t expert = test::experts_of_rows(*routing.assignment)[static_cast<std::size_t>(row)].at(0);
    const float alpha = 1.0F / (1.0F + std::exp(-inputs[0].matrix()(row, expert)));
    EXPECT_NEAR(test::weight_of(*routing.assignment, row, expert), alpha, 1e-6F);
    EXPECT_NEAR(rest, 1.0F - alpha, 1e-6F);
  }
  for (const bool identity : {false, true}) {
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          const Routing result = router->route(tape, x[0], {.row_mask = mask, .rows = &rows});
          return identity ? result.identity_weights : result.combine_weights;
        },
        inputs, 1e-3F));
  }
}

TEST(BaseRouterTest, EvaluationIsGreedy) {
  const Tensor scores = skewed(30, 4, 4);
  const Routing routing = route(*test::router_of("base", 4, 1), scores, {});
  const Routing expected = route(*test::router_of("switch", 4, 1, {{"eval_capacity_factor", "0"}}), scores, {});
  EXPECT_TRUE(std::ranges::equal(routing.assignment->row_indices, expected.assignment->row_indices));
  EXPECT_GT(max_over_mean(loads_of(*routing.assignment)), 1.5);
}

TEST(SinkhornScalingTest, MarginalsAreUniform) {
  for (const float scale : {0.1F, 1.0F, 5.0F}) {
    for (const std::int64_t rows : {1, 37, 1200}) {
      const Tensor kernel = test::random_tensor({rows, 19}, 5, scale);
      for (float& value : kernel.values()) value = std::exp(value);
      std::vector<std::uint8_t> mask(static_cast<std::size_t>(rows), 1);
      if (rows > 1) mask[1] = 0;
      const double counted = static_cast<double>(rows > 1 ? rows - 1 : rows);
      const SinkhornScaling scaling = sinkhorn_scaling(kernel.matrix(), mask, {.max_rounds = 3000});
      ASSERT_LT(scaling.rounds, 3000) << scale;
      std::vector<double> columns(19, 0.0);
      for (std::int64_t row = 0; row < rows; ++row) {
        double sum = 0.0;
        for (std::size_t e = 0; e < 19; ++e) {
          const double share = static_cast<double>(scaling.rows[static_cast<std::size_t>(row)]) *
                               static_cast<double>(kernel.matrix().row(row)[e]) *
                               static_cast<double>(scaling.columns[e]);
          sum += share;
          columns[e] += share;
        }
        EXPECT_NEAR(sum * counted, mask[static_cast<std::size_t>(row)] != 0 ? 1.0 : 0.0, 1e-4);
      }
      for (const double column : columns) EXPECT_NEAR(column * 19.0, 1.0, 1.1e-4);
    }
  }
}

TEST(SinkhornScalingTest, ColumnsThatVanishDoNoHarm) {
  const Tensor kernel = Tensor::full({6, 3}, 1.0F);
  for (std::int64_t row = 0; row < 6; ++row) kernel.matrix()(row, 1) = 0.0F;
  const SinkhornScaling scaling = sinkhorn_scaling(kernel.matrix(), {}, {.max_rounds = 50});
  EXPECT_EQ(scaling.rounds, 50);
  for (const float factor : scaling.columns) EXPECT_TRUE(std::isfinite(factor) && factor > 0.0F);
}

TEST(SinkhornRouterTest, EvensOutTheLoad) {
  for (const std::int64_t k : {1, 3}) {
    const Tensor scores = test::random_tensor({600, 10}, 6);
    for (std::int64_t row = 0; row < 600; ++row) scores.matrix()(row, 4) += 1.0F;
    const auto router = test::router_of("sinkhorn", 10, k);
    EXPECT_LT(max_over_mean(loads_of(*route(*router, scores, {.training = true}).assignment)), 1.25) << k;
    EXPECT_GT(max_over_mean(loads_of(*route(*router, scores, {}).assignment)), 1.6) << k;
  }
}

TEST(SinkhornRouterTest, WeightsComeFromTheRawScores) {
  const Tensor scores = skewed(12, 4, 7);
  for (float& value : scores.values()) value *= 0.05F;
  const Routing one = route(*test::router_of("sinkhorn", 4, 1), scores, {.training = true});
  const Routing two = route(*test::router_of("sinkhorn", 4, 2), scores, {.training = true});
  const auto of_one = test::experts_of_rows(*one.assignment);
  const auto of_two = test::experts_of_rows(*two.assignment);
  for (std::int64_t row = 0; row < 12; ++row) {
    const std::int64_t e = of_one[static_cast<std::size_t>(row)].at(0);
    EXPECT_NEAR(test::weight_of(*one.assignment, row, e), 1.0F / (1.0F + std::exp(-scores.matrix()(row, e))), 1e-6F);
    for (const std::int64_t each : of_two[static_cast<std::size_t>(row)]) {
      EXPECT_EQ(test::weight_of(*two.assignment, row, each), two.probabilities.matrix()(row, each));
    }
  }
}

TEST(LinearProgramTest, IsTheOptimumAndIntegral) {
  for (const std::int64_t k : {1, 2, 3}) {
    for (const std::int64_t rows : {1, 7, 50}) {
      const Tensor scores = skewed(rows, 6, 8);
      const std::int64_t capacity = (k * rows + 5) / 6;
      const ProgramSolution solution = solve_assignment_program(scores.matrix(), k, capacity);
      const std::vector<std::int64_t> capacities(6, capacity);
      EXPECT_NEAR(solution.objective, test::best_assignment(scores.matrix(), k, capacities), 1e-3) << k << " " << rows;
      for (const float share : solution.shares) EXPECT_NEAR(share * (1.0F - share), 0.0F, 1e-6F);
    }
  }
}

TEST(LinearProgramTest, RouterTakesTheOptimum) {
  const Tensor scores = skewed(45, 6, 9);
  const Routing routing = route(*test::router_of("linear_program", 6, 2), scores, {.training = true});
  EXPECT_EQ(routing.assignment->num_assigned(), 90);
  EXPECT_EQ(loads_of(*routing.assignment), std::vector<std::int64_t>(6, 15));
  EXPECT_EQ(total(scores, *routing.assignment),
            test::best_assignment(scores.matrix(), 2, std::vector<std::int64_t>(6, 15)));
}

TEST(LinearProgramTest, IsTheYardstickOfTheOthers) {
  const Tensor scores = test::random_tensor({96, 8}, 10);
  const double best =
      total(scores, *route(*test::router_of("linear_program", 8, 1), scores, {.training = true}).assignment);
  const double base = total(scores, *route(*test::router_of("base", 8, 1), scores, {.training = true}).assignment);
  EXPECT_LE(base, best + 1e-3);
  EXPECT_GE(base, best - 96 * 0.02 * 2.0) << "T epsilon: scores differ by less than 2 from the best on average";
}

TEST(LinearProgramTest, RefusesLargeBatches) {
  const auto router = test::router_of("linear_program", 64, 1);
  const std::string message = test::error_message([&] {
    route(*router, Tensor::zeros({1025, 64}), {.training = true});
  });
  EXPECT_NE(message.find("1025 rows times 64 experts are 65600 variables, expected 65536"), std::string::npos)
      << message;
  EXPECT_EQ(test::error_message([&] {
              route(*router, Tensor::zeros({1025, 64}), {});
            }),
            "no error")
      << "evaluation solves nothing";
}

TEST(QuantileRouterTest, EvensOutTheLoad) {
  for (const std::int64_t k : {1, 2, 5}) {
    const Tensor scores = test::random_tensor({800, 10}, 11);
    for (std::int64_t row = 0; row < 800; ++row) scores.matrix()(row, 4) += 2.0F;
    const auto router = test::router_of("quantile", 10, k);
    EXPECT_GT(max_over_mean(loads_of(*route(*router, scores, {}).assignment)), 1.6) << k;
    EXPECT_LT(max_over_mean(loads_of(*route(*router, scores, {.training = true}).assignment)), 1.1) << k;
    const auto patient = test::router_of("quantile", 10, k, {{"quantile_rounds", "40"}});
    EXPECT_LT(max_over_mean(loads_of(*route(*patient, scores, {.training = true}).assignment)), 1.03) << k;
  }
}

TEST(QuantileRouterTest, IsNearTheLinearProgram) {
  const Tensor scores = test::random_tensor({120, 6}, 12);
  const Routing exact = route(*test::router_of("linear_program", 6, 2), scores, {.training = true});
  const Routing near =
      route(*test::router_of("quantile", 6, 2, {{"quantile_rounds", "40"}}), scores, {.training = true});
  EXPECT_NEAR(total(scores, *near.assignment), total(scores, *exact.assignment),
              0.02 * std::fabs(total(scores, *exact.assignment)));
}

TEST(QuantileRouterTest, SavedOffsetsServeInference) {
  const auto batch = [](std::uint64_t seed) {
    const Tensor scores = test::random_tensor({500, 6}, seed);
    for (std::int64_t row = 0; row < 500; ++row) scores.matrix()(row, 1) += 2.0F;
    return scores;
  };
  const auto router = test::router_of("quantile", 6, 2);
  const Tensor fresh = batch(1);
  const Routing plain = route(*router, fresh, {});
  EXPECT_EQ(plain.assignment->load(1), route(*test::router_of("top_k", 6, 2), fresh, {}).assignment->load(1))
      << "without a step the scores alone";
  for (std::uint64_t step = 0; step < 3; ++step) {
    route(*router, batch(20 + step), {.training = true});
    router->after_step({});
  }
  const Routing balanced = route(*router, fresh, {});
  EXPECT_LT(max_over_mean(loads_of(*balanced.assignment)), 1.15);
  const Tensor alone = Tensor::from({1, 6}, {fresh.matrix().row(9), 6});
  EXPECT_EQ(test::experts_of_rows(*route(*router, alone, {}).assignment)[0],
            test::experts_of_rows(*balanced.assignment)[9]);
  const auto loaded = test::router_of("quantile", 6, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    std::ranges::copy(router->buffers()[i].value.values(), loaded->buffers()[i].value.data());
  }
  EXPECT_EQ(loads_of(*route(*loaded, fresh, {}).assignment), loads_of(*balanced.assignment));
}

TEST(BalancedRoutersTest, MaskedRowsCountNowhere) {
  std::vector<std::uint8_t> mask(48, 1);
  for (std::size_t row = 24; row < 48; ++row) mask[row] = 0;
  const Tensor scores = test::random_tensor({48, 4}, 13);
  const Tensor kept = Tensor::from({24, 4}, scores.values().first(96));
  for (const char* const name : {"base", "sinkhorn", "linear_program", "quantile"}) {
    const auto router = test::router_of(name, 4, 1);
    const Routing masked = route(*router, scores, {.training = true, .row_mask = mask});
    const Routing alone = route(*router, kept, {.training = true});
    EXPECT_EQ(loads_of(*masked.assignment), loads_of(*alone.assignment)) << name;
    for (std::int64_t e = 0; e < 4; ++e) {
      EXPECT_TRUE(std::ranges::equal(masked.assignment->rows_of(e), alone.assignment->rows_of(e))) << name;
    }
  }
}

TEST(BalancedRoutersTest, NoRowIsLeftOut) {
  for (const char* const name : {"base", "sinkhorn", "linear_program", "quantile"}) {
    const auto router = test::router_of(name, 7, 1);
    for (const std::int64_t rows : {0, 1, 2, 6, 7, 8, 30}) {
      const Routing routing = route(*router, test::random_tensor({rows, 7}, 14), {.training = true});
      EXPECT_EQ(routing.assignment->num_assigned(), rows) << name;
    }
  }
}

}  // namespace balanced_routers_test
}  // namespace witan
