// Two levels: weights are products, probabilities multiply, the load of two levels is the formula's.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "autograd/ops/linear.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/variation.h"
#include "routers/score_noise.h"
#include "routers/smooth_load.h"
#include "routers/table.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace hierarchical_test {

constexpr std::int64_t kGroups = 3;
constexpr std::int64_t kPerGroup = 3;
constexpr std::int64_t kExperts = kGroups * kPerGroup;
constexpr std::int64_t kWidth = 4;
constexpr std::int64_t kRows = 7;

RouterOptions two_levels(const char* topk_group = "2", std::int64_t k = 4, const char* n_group = "3") {
  RouterOptions options;
  options.router = "hierarchical";
  options.num_experts = kExperts;
  options.num_experts_per_tok = k;
  options.fields().find("n_group").set(n_group);
  options.fields().find("topk_group").set(topk_group);
  return options;
}

std::unique_ptr<Router> make(const RouterOptions& options) {
  Random random(1);
  return find_router(options.router).make(options, kWidth, random);
}

std::map<std::string, Tensor> parameters(const Router& router) {
  std::map<std::string, Tensor> all;
  for (const Parameter& parameter : router.parameters()) all[parameter.name] = parameter.value;
  return all;
}

// softmax over the `k` largest of `scores`, 0 elsewhere.
std::vector<double> gates(const std::vector<double>& scores, std::size_t k) {
  std::vector<double> result(scores.size(), 0.0);
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    std::size_t better = 0;
    for (std::size_t j = 0; j < scores.size(); ++j) better += scores[j] > scores[i];
    if (better < k) sum += result[i] = std::exp(scores[i]);
  }
  for (double& gate : result) gate /= sum;
  return result;
}

TEST(HierarchicalRouterTest, WeightsAreProductsOfBothLevels) {
  const auto router = make(two_levels());
  const Tensor rows = test::random_tensor({kRows, kWidth}, 2, 3.0F);
  const Tensor scores = test::random_tensor({kRows, kExperts}, 3);
  Tape off;
  const Tensor primary = ops::linear(off, rows, parameters(*router).at("primary.weight"));
  const Routing routing = router->route(off, scores, {.rows = &rows});
  routing.assignment->validate();
  EXPECT_EQ(routing.assignment->num_assigned(), kRows * 4);
  std::vector<double> weights(static_cast<std::size_t>(kRows * kExperts), 0.0);
  std::size_t entry = 0;
  for (std::int64_t e = 0; e < kExperts; ++e) {
    for (const std::int32_t row : routing.assignment->rows_of(e)) {
      weights[static_cast<std::size_t>(row * kExperts + e)] =
          static_cast<double>(routing.combine_weights.values()[entry++]);
    }
  }
  for (std::int64_t row = 0; row < kRows; ++row) {
    const float* const p = primary.matrix().row(row);
    const std::vector<double> of_group = gates({p, p + kGroups}, 2);
    for (std::int64_t g = 0; g < kGroups; ++g) {
      const float* const s = scores.matrix().row(row) + g * kPerGroup;
      const std::vector<double> of_expert = gates({s, s + kPerGroup}, 2);
      for (std::int64_t j = 0; j < kPerGroup; ++j) {
        EXPECT_NEAR(weights[static_cast<std::size_t>(row * kExperts + g * kPerGroup + j)],
                    of_group[static_cast<std::size_t>(g)] * of_expert[static_cast<std::size_t>(j)], 1e-6);
      }
    }
  }
}

TEST(HierarchicalRouterTest, ProbabilitiesAreProductsAndSumToOne) {
  const auto router = make(two_levels());
  const Tensor rows = test::random_tensor({kRows, kWidth}, 2, 3.0F);
  const Tensor scores = test::random_tensor({kRows, kExperts}, 3);
  Tape off;
  const Tensor primary = ops::softmax(off, ops::linear(off, rows, parameters(*router).at("primary.weight")));
  const Tensor within = ops::softmax(off, scores.reshaped({kRows * kGroups, kPerGroup}));
  const Tensor probabilities = router->route(off, scores, {.rows = &rows}).probabilities;
  for (std::int64_t i = 0; i < kRows * kExperts; ++i) {
    EXPECT_NEAR(probabilities.data()[i], primary.data()[i / kPerGroup] * within.data()[i], 1e-6F);
  }
}

TEST(HierarchicalRouterTest, LoadTermIsTheFormulaOfTwoLevels) {
  const RouterOptions options = two_levels();
  const auto router = make(options);
  const Tensor rows = test::random_tensor({kRows, kWidth}, 2, 3.0F);
  const Tensor scores = test::random_tensor({kRows, kExperts}, 3);
  Tape off;
  Random first(5);
  const Routing routing = router->route(off, scores, {.training = true, .random = &first, .rows = &rows});

  Random second(5);  // the same draws, primary level first
  const RouterContext context{.training = true, .random = &second, .rows = &rows};
  const Tensor primary = ops::linear(off, rows, parameters(*router).at("primary.weight"));
  const NoisyScores noisy_primary = ScoreNoise(options, kGroups, kWidth).add(off, primary, context);
  const NoisyScores noisy = ScoreNoise(options, kExperts, kWidth).add(off, scores, context);
  const Tensor group_load = smooth_load(off, primary, noisy_primary, 2, {});
  Tensor load = Tensor::zeros({kExperts});
  for (std::int64_t g = 0; g < kGroups; ++g) {
    float served = 0.0F;
    for (std::int64_t row = 0; row < kRows; ++row) {
      const float* const h = noisy_primary.scores.matrix().row(row);
      if (gates({h, h + kGroups}, 2)[static_cast<std::size_t>(g)] == 0.0) continue;
      served += 1.0F;
      const auto part = [&](const Tensor& all) {
        return Tensor::from({1, kPerGroup}, {all.matrix().row(row) + g * kPerGroup, kPerGroup});
      };
      const Tensor one = smooth_load(off, part(scores), {part(noisy.scores), part(noisy.deviations)}, 2, {});
      for (std::int64_t j = 0; j < kPerGroup; ++j) load.data()[g * kPerGroup + j] += one.data()[j];
    }
    for (std::int64_t j = 0; j < kPerGroup; ++j) load.data()[g * kPerGroup + j] *= group_load.data()[g] / served;
  }
  ASSERT_EQ(routing.terms.size(), 1U);
  EXPECT_NEAR(routing.terms[0].unscaled, ops::squared_variation(off, load).item(), 1e-5F);
}

TEST(HierarchicalRouterTest, BothLevelsLearnFromTheWeights) {
  const auto router = make(two_levels());
  const Tensor rows = test::random_tensor({kRows, kWidth}, 2, 3.0F);
  const std::map<std::string, Tensor> all = parameters(*router);
  const std::vector<Tensor> inputs = {test::random_tensor({kRows, kExperts}, 3), all.at("primary.weight")};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return router->route(tape, x[0], {.rows = &rows}).combine_weights; },
      inputs, 1e-3F, 1e-2F));
  Tape tape(Tape::Mode::kRecording);
  Random random(5);
  const Routing routing = router->route(tape, inputs[0], {.training = true, .random = &random, .rows = &rows});
  for (const auto& [name, parameter] : all) parameter.grad().clear();
  tape.backward(routing.terms[0].value);
  for (const auto& [name, parameter] : all) EXPECT_GT(test::max_abs(parameter.grad().values()), 0.0F) << name;
}

TEST(HierarchicalRouterTest, RefusesLevelsThatCannotLearn) {
  const auto message = [](const RouterOptions& options) { return test::error_message([&] { make(options); }); };
  EXPECT_NE(message(two_levels("1", 2)).find("no gradient"), std::string::npos);
  EXPECT_NE(message(two_levels("2", 2)).find("no gradient"), std::string::npos);
  EXPECT_NE(message(two_levels("2", 5)).find("topk_group=2 does not divide num_experts_per_tok=5"), std::string::npos);
  EXPECT_EQ(message(two_levels("3", 6)), "no error");
  EXPECT_EQ(message(two_levels("1", 2, "1")), "no error");
}

}  // namespace hierarchical_test
}  // namespace witan
