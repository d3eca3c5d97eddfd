// The gated unit of gpt-oss against its formula, and its gradients on both sides of the limits.
#include "autograd/ops/clamped_swiglu.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace clamped_swiglu_test {

TEST(ClampedSwigluTest, MatchesItsFormula) {
  Tape off;
  const Tensor gate = Tensor::from({1, 5}, std::vector<float>{0.5F, 7.5F, -9.0F, 7.0F, -0.1F});
  const Tensor up = Tensor::from({1, 5}, std::vector<float>{1.0F, -8.0F, 9.0F, 7.0F, -7.0F});
  std::vector<float> expected;
  for (const auto& [g, u] : {std::pair{0.5, 1.0}, {7.0, -7.0}, {-9.0, 7.0}, {7.0, 7.0}, {-0.1, -7.0}}) {
    expected.push_back(static_cast<float>(g / (1.0 + std::exp(-1.702 * g)) * (u + 1.0)));
  }
  EXPECT_TRUE(test::near(ops::clamped_swiglu(off, gate, up, 7.0F).values(), expected, 1e-5F));
}

TEST(ClampedSwigluTest, GradientsMatchCentralDifferences) {
  // Away from the limits by more than a step of the difference.
  Tensor gate = Tensor::from({2, 3}, std::vector<float>{0.3F, 1.4F, -2.0F, 0.9F, -0.4F, 3.0F});
  Tensor up = Tensor::from({2, 3}, std::vector<float>{0.2F, -0.7F, 1.6F, -1.8F, 0.0F, 0.5F});
  gate.set_requires_grad(true);
  up.set_requires_grad(true);
  const Tensor inputs[] = {gate, up};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) { return ops::clamped_swiglu(tape, x[0], x[1], 1.2F); }, inputs));
}

TEST(ClampedSwigluTest, WrongCalls) {
  Tape off;
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_NE(test::error_message([&] { ops::clamped_swiglu(off, x, x, 0.0F); }).find("limit 0"), std::string::npos);
  EXPECT_NE(test::error_message([&] {
              ops::clamped_swiglu(off, x, Tensor::zeros({3, 2}), 1.0F);
            }).find("[3, 2]"),
            std::string::npos);
}

}  // namespace clamped_swiglu_test
}  // namespace witan
