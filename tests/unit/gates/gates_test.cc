// What single gates promise beyond the contract: their formulas against plain sums in double, and their options.
#include "support/gates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace gates_test {

Tensor scores_of(const Gate& gate, const Tensor& rows) {
  Tape off;
  return gate.scores(off, rows);
}

double dot(const float* a, const float* b, std::int64_t n) { return std::inner_product(a, a + n, b, 0.0); }

testing::AssertionResult all_gradients_match(const Gate& gate, std::int64_t width) {
  std::vector<Tensor> inputs = {test::random_tensor({3, width}, 2)};
  for (const Parameter& parameter : gate.parameters()) inputs.push_back(parameter.value);
  return test::gradients_match([&](Tape& tape, std::span<const Tensor> x) { return gate.scores(tape, x[0]); }, inputs);
}

TEST(CosineGateTest, IsTheCosineOverTheTemperature) {
  const auto gate = test::make_gate("cosine", 6, 5, {{"cosine_gate_temperature", "0.25"}});
  const Tensor directions = test::parameters_of(*gate).at("weight");
  const Tensor rows = test::random_tensor({4, 6}, 1);
  const Tensor scores = scores_of(*gate, rows);
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t e = 0; e < 5; ++e) {
      const float* const x = rows.matrix().row(t);
      const float* const m = directions.matrix().row(e);
      const double cosine = dot(x, m, 6) / std::sqrt(dot(x, x, 6) * dot(m, m, 6));
      EXPECT_NEAR(static_cast<double>(scores.matrix()(t, e)), cosine / 0.25, 1e-5);
    }
  }
}

TEST(CosineGateTest, LengthsDoNotCountAndZeroIsZero) {
  const auto gate = test::make_gate("cosine", 6, 5);
  Tensor rows = test::random_tensor({4, 6}, 1);
  const Tensor before = scores_of(*gate, rows);
  for (float& x : rows.values()) x *= 1000.0F;
  EXPECT_TRUE(test::near(scores_of(*gate, rows).values(), before.values(), 1e-5F));
  EXPECT_EQ(test::max_abs(scores_of(*gate, Tensor::zeros({2, 6})).values()), 0.0F);
}

TEST(CosineGateTest, ProjectionHasItsGradient) {
  const auto gate = test::make_gate("cosine", 6, 5, {{"cosine_gate_size", "3"}});
  EXPECT_EQ(test::parameters_of(*gate).at("weight").shape(), (Shape{5, 3}));
  EXPECT_TRUE(all_gradients_match(*gate, 6));
}

TEST(MlpGateTest, IsTwoLinearMapsWithRectifiedUnitsBetween) {
  const auto gate = test::make_gate("mlp", 4, 3, {{"mlp_gate_size", "7"}});
  auto parameters = test::parameters_of(*gate);
  Random(5).fill_normal(parameters.at("first.bias").values(), 0.0F, 1.0F);
  Random(6).fill_normal(parameters.at("bias").values(), 0.0F, 1.0F);
  const Tensor rows = test::random_tensor({5, 4}, 1);
  const Tensor scores = scores_of(*gate, rows);
  for (std::int64_t t = 0; t < 5; ++t) {
    for (std::int64_t e = 0; e < 3; ++e) {
      auto sum = static_cast<double>(parameters.at("bias").values()[static_cast<std::size_t>(e)]);
      for (std::int64_t i = 0; i < 7; ++i) {
        const double before = dot(parameters.at("first.weight").matrix().row(i), rows.matrix().row(t), 4) +
                              static_cast<double>(parameters.at("first.bias").values()[static_cast<std::size_t>(i)]);
        sum += static_cast<double>(parameters.at("weight").matrix()(e, i)) * std::max(0.0, before);
      }
      EXPECT_NEAR(static_cast<double>(scores.matrix()(t, e)), sum, 1e-5);
    }
  }
}

TEST(GaussianGateTest, IsTheLogOfPriorTimesDensity) {
  for (const std::string covariance : {"diagonal", "spherical"}) {
    const auto gate = test::make_gate("gaussian", 3, 4, {{"gaussian_gate_covariance", covariance}});
    auto parameters = test::parameters_of(*gate);
    Random(5).fill_normal(parameters.at("log_deviation").values(), 0.0F, 1.0F);
    Random(6).fill_normal(parameters.at("log_prior").values(), 0.0F, 1.0F);
    const Tensor rows = test::random_tensor({5, 3}, 1);
    const Tensor scores = scores_of(*gate, rows);
    for (std::int64_t t = 0; t < 5; ++t) {
      for (std::int64_t e = 0; e < 4; ++e) {
        double density = 1.0;
        for (std::int64_t d = 0; d < 3; ++d) {
          const Tensor& logs = parameters.at("log_deviation");
          const double s = std::exp(static_cast<double>(logs.matrix()(e, covariance == "diagonal" ? d : 0)));
          const double z = static_cast<double>(rows.matrix()(t, d) - parameters.at("weight").matrix()(e, d)) / s;
          density *= std::exp(-0.5 * z * z) / s;
        }
        const double prior = static_cast<double>(parameters.at("log_prior").values()[static_cast<std::size_t>(e)]);
        const double expected = prior + std::log(density);
        EXPECT_NEAR(static_cast<double>(scores.matrix()(t, e)), expected, 1e-5 * (1.0 + std::fabs(expected)))
            << covariance;
      }
    }
    EXPECT_TRUE(all_gradients_match(*gate, 3)) << covariance;
  }
}

TEST(GaussianGateTest, NarrowRegionsFarFromTheOriginKeepTheirDifference) {
  const auto gate = test::make_gate("gaussian", 1, 2);
  auto parameters = test::parameters_of(*gate);
  parameters.at("weight").values()[0] = 1000.0F;
  parameters.at("weight").values()[1] = 1000.5F;
  const Tensor scores = scores_of(*gate, Tensor::full({1, 1}, 1000.25F));
  EXPECT_EQ(scores.values()[0], scores.values()[1]);
}

TEST(TreeGateTest, ScoresAreLogProbabilitiesOfPaths) {
  const auto gate = test::make_gate("tree", 6, 12, {{"tree_branching", "2x3x2"}});
  auto parameters = test::parameters_of(*gate);
  const std::vector<Tensor> levels = {parameters.at("level0.weight"), parameters.at("level1.weight"),
                                      parameters.at("weight")};
  const std::vector<std::int64_t> children = {2, 3, 2};
  const Tensor rows = test::random_tensor({4, 6}, 1);
  const Tensor scores = scores_of(*gate, rows);
  for (std::int64_t t = 0; t < 4; ++t) {
    double total = 0.0;
    for (std::int64_t leaf = 0; leaf < 12; ++leaf) {
      double expected = 0.0;
      std::int64_t node = leaf;
      for (std::size_t level = 3; level-- > 0;) {
        double sum = 0.0;
        const std::int64_t first = node / children[level] * children[level];
        for (std::int64_t j = first; j < first + children[level]; ++j) {
          sum += std::exp(dot(levels[level].matrix().row(j), rows.matrix().row(t), 6));
        }
        expected += dot(levels[level].matrix().row(node), rows.matrix().row(t), 6) - std::log(sum);
        node /= children[level];
      }
      EXPECT_NEAR(static_cast<double>(scores.matrix()(t, leaf)), expected, 1e-5);
      total += std::exp(static_cast<double>(scores.matrix()(t, leaf)));
    }
    EXPECT_NEAR(total, 1.0, 1e-5);
  }
  EXPECT_TRUE(all_gradients_match(*gate, 6));
}

TEST(TreeGateTest, BranchingThatDoesNotFitIsRefused) {
  for (const std::string text : {"4x5", "4x", "x4", "0x16", "4x4x", "4*4", "4", "99999999999999999999", "4x4x4x4"}) {
    const std::string message = test::error_message([&] {
      test::make_gate("tree", 6, 16, {{"tree_branching", text}});
    });
    EXPECT_NE(message.find("tree_branching='" + text + "'"), std::string::npos) << message;
  }
  EXPECT_EQ(test::parameters_of(*test::make_gate("tree", 6, 12)).at("level0.weight").rows(), 3);
  EXPECT_EQ(test::parameters_of(*test::make_gate("tree", 6, 7)).at("level0.weight").rows(), 1);
}

TEST(ProductKeysGateTest, ScoresAreSumsOfTwoHalves) {
  const auto gate = test::make_gate("product_keys", 6, 9, {{"product_key_size", "4"}});
  auto parameters = test::parameters_of(*gate);
  const Tensor rows = test::random_tensor({4, 6}, 1);
  const Tensor scores = scores_of(*gate, rows);
  const auto half = [&](const std::string& query, const std::string& keys, std::int64_t t, std::int64_t key) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < 4; ++i) {
      sum += dot(parameters.at(query).matrix().row(i), rows.matrix().row(t), 6) *
             static_cast<double>(parameters.at(keys).matrix()(key, i));
    }
    return sum;
  };
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t e = 0; e < 9; ++e) {
      const double expected = half("first.query", "weight", t, e / 3) + half("second.query", "second.weight", t, e % 3);
      EXPECT_NEAR(static_cast<double>(scores.matrix()(t, e)), expected, 1e-5);
    }
  }
  const std::string message = test::error_message([] { test::make_gate("product_keys", 6, 15); });
  EXPECT_NE(message.find("num_experts=15 is not a square; nearest: 16"), std::string::npos) << message;
}

}  // namespace gates_test
}  // namespace witan
