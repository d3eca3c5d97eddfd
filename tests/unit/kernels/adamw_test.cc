// AdamW against its reference in double.
#include "kernels/adamw.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace adamw_test {

struct State {
  explicit State(std::size_t size) : parameter(size), first(size), second(size) {}
  std::vector<float> parameter, first, second;
};

// Views that start at an odd element.
std::span<float> tail(std::vector<float>& values) { return std::span(values).subspan(1); }

TEST(AdamWTest, FollowsTheReferenceOverSteps) {
  for (const std::size_t size : {0, 1, 17, 1000, 50003}) {
    test::for_each_isa([size] {
      Random random(5);
      State fused(size + 1);
      random.fill_normal(fused.parameter, 0.0F, 1.0F);
      State plain = fused;
      std::vector<float> gradient(size + 1);
      AdamWStep step;
      step.learning_rate = 0.01F;
      step.weight_decay = 0.1F;
      step.gradient_scale = 0.5F;
      for (step.step = 1; step.step <= 5; ++step.step) {
        random.fill_normal(gradient, 0.0F, 0.01F);
        adamw(tail(fused.parameter), tail(gradient), tail(fused.first), tail(fused.second), step);
        adamw_reference(tail(plain.parameter), tail(gradient), tail(plain.first), tail(plain.second), step);
      }
      EXPECT_TRUE(test::near(fused.parameter, plain.parameter, 2e-6F)) << size;
      EXPECT_TRUE(test::near(fused.first, plain.first, 2e-9F)) << size;
      EXPECT_TRUE(test::near(fused.second, plain.second, 1e-11F)) << size;
    });
  }
}

TEST(AdamWTest, FirstStepMovesByTheLearningRate) {
  State state(3);
  const std::vector<float> gradient = {1e-3F, -5.0F, 0.0F};
  AdamWStep step;
  step.learning_rate = 0.1F;
  adamw(state.parameter, gradient, state.first, state.second, step);
  EXPECT_TRUE(test::near(state.parameter, std::vector<float>{-0.1F, 0.1F, 0.0F}, 1e-5F));
}

TEST(AdamWTest, DecayIsDecoupledFromTheGradient) {
  State state(2);
  state.parameter = {2.0F, -4.0F};
  AdamWStep step;
  step.learning_rate = 0.1F;
  step.weight_decay = 0.5F;
  adamw(state.parameter, std::vector<float>{0.0F, 0.0F}, state.first, state.second, step);
  EXPECT_TRUE(test::near(state.parameter, std::vector<float>{1.9F, -3.8F}, 1e-6F));
}

}  // namespace adamw_test
}  // namespace witan::kernels
