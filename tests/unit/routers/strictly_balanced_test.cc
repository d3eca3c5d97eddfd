// Equal loads in training whatever the gate says, thresholds in inference, and how the one learns the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "routers/table.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace strictly_balanced_test {

constexpr std::int64_t kExperts = 4;

std::unique_ptr<Router> make(std::int64_t k = 2) {
  RouterOptions options;
  options.router = "strictly_balanced";
  options.num_experts = kExperts;
  options.num_experts_per_tok = k;
  Random random(1);
  return find_router(options.router).make(options, 3, random);
}

Tensor skewed(std::int64_t rows, std::uint64_t seed) {
  Tensor scores = test::random_tensor({rows, kExperts}, seed);
  for (std::int64_t row = 0; row < rows; ++row) scores.matrix()(row, 1) += 3.0F;
  return scores;
}

TEST(StrictlyBalancedRouterTest, EveryExpertTakesItsBestRowsAndAsManyAsTheOthers) {
  const Tensor scores = skewed(30, 2);
  Tape off;
  const Routing routing = make()->route(off, scores, {.training = true});
  routing.assignment->validate();
  const Matrix p = routing.probabilities.matrix();
  for (std::int64_t e = 0; e < kExperts; ++e) {
    ASSERT_EQ(routing.assignment->load(e), 15);
    float least = 1.0F;
    std::vector<char> taken(30, 0);
    for (const std::int32_t row : routing.assignment->rows_of(e)) {
      taken[static_cast<std::size_t>(row)] = 1;
      least = std::min(least, p(row, e));
    }
    for (std::int64_t row = 0; row < 30; ++row) {
      if (taken[static_cast<std::size_t>(row)] == 0) {
        EXPECT_LE(p(row, e), least);
      }
    }
  }
}

TEST(StrictlyBalancedRouterTest, WeightsAreTheMaskedProbabilitiesOverTheirSum) {
  const Tensor scores = skewed(10, 3);
  Tape off;
  for (const bool training : {true, false}) {
    const Routing routing = make()->route(off, scores, {.training = training});
    std::vector<double> sums(10, 0.0);
    for (std::int64_t e = 0; e < kExperts; ++e) {
      for (const std::int32_t row : routing.assignment->rows_of(e)) {
        sums[static_cast<std::size_t>(row)] += static_cast<double>(routing.probabilities.matrix()(row, e));
      }
    }
    std::size_t entry = 0;
    for (std::int64_t e = 0; e < kExperts; ++e) {
      for (const std::int32_t row : routing.assignment->rows_of(e)) {
        const double expected =
            static_cast<double>(routing.probabilities.matrix()(row, e)) / sums[static_cast<std::size_t>(row)];
        EXPECT_NEAR(static_cast<double>(routing.combine_weights.values()[entry++]), expected, 1e-6);
      }
    }
  }
}

TEST(StrictlyBalancedRouterTest, InferenceIsByThreshold) {
  const auto router = make();
  std::ranges::copy(std::vector<float>{0.1F, 0.9F, 0.0F, 1.0F}, router->parameters()[0].value.data());
  const Tensor scores = Tensor::from({2, 4}, std::vector<float>{1.0F, 0.0F, 0.0F, 0.0F, -9.0F, 9.0F, -9.0F, -9.0F});
  Tape off;
  const Routing routing = router->route(off, scores, {});
  EXPECT_EQ(routing.assignment->load(0), 1);
  EXPECT_EQ(routing.assignment->load(1), 1);
  EXPECT_EQ(routing.assignment->load(2), 2);
  EXPECT_EQ(routing.assignment->load(3), 0);
}

TEST(StrictlyBalancedRouterTest, LossIsTheFormulaAndItsGradientGoesToTheThresholds) {
  const auto router = make();
  Tensor thresholds = router->parameters()[0].value;
  std::ranges::copy(std::vector<float>{0.1F, 0.6F, 0.13F, 0.3F}, thresholds.data());
  Tensor scores = skewed(9, 4);
  Tape tape(Tape::Mode::kRecording);
  const Routing routing = router->route(tape, scores, {.training = true});
  const Matrix p = routing.probabilities.matrix();
  std::vector<char> batch(9 * kExperts, 0);
  for (std::int64_t e = 0; e < kExperts; ++e) {
    for (const std::int32_t row : routing.assignment->rows_of(e))
      batch[static_cast<std::size_t>(row * kExperts + e)] = 1;
  }
  double expected = 0.0;
  for (std::int64_t row = 0; row < 9; ++row) {
    for (std::int64_t e = 0; e < kExperts; ++e) {
      const double off = static_cast<double>(p(row, e)) - static_cast<double>(thresholds.data()[e]);
      expected += ((off > 0.0) - batch[static_cast<std::size_t>(row * kExperts + e)]) * off / 9.0;
    }
  }
  ASSERT_EQ(routing.terms.size(), 1U);
  EXPECT_GT(expected, 0.0);
  EXPECT_NEAR(static_cast<double>(routing.terms[0].unscaled), expected, 1e-6);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& recording, std::span<const Tensor>) {
        return router->route(recording, scores.detached(), {.training = true}).terms[0].value;
      },
      {&thresholds, 1}, 1e-3F, 1e-2F));
}

// Gradient descent on the thresholds alone: inference then loads the experts as training does.
TEST(StrictlyBalancedRouterTest, ThresholdsLearnTheBatchesLoads) {
  const auto router = make(1);
  Tensor thresholds = router->parameters()[0].value;
  for (std::uint64_t step = 0; step < 400; ++step) {
    Tape tape(Tape::Mode::kRecording);
    const Routing routing = router->route(tape, skewed(64, 10 + step), {.training = true});
    thresholds.grad().clear();
    tape.backward(routing.terms[0].value);
    for (std::size_t e = 0; e < kExperts; ++e) thresholds.values()[e] -= 0.05F * thresholds.grad().values()[e];
  }
  Tape off;
  const Routing routing = router->route(off, skewed(2000, 5), {});
  for (std::int64_t e = 0; e < kExperts; ++e) {
    EXPECT_NEAR(static_cast<double>(routing.assignment->load(e)), 500.0, 100.0) << "expert " << e;
  }
}

}  // namespace strictly_balanced_test
}  // namespace witan
