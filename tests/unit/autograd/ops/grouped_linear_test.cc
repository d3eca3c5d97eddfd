// Linear map per expert: gradients, empty experts and errors.
#include "autograd/ops/grouped_linear.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/assignments.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace grouped_linear_test {

TEST(GroupedLinearOpTest, GradientsMatchDifferences) {
  // Expert 1 has no rows, row 2 no expert.
  const std::vector<std::int32_t> choices[] = {{0, 2}, {2}, {}, {3, 0}, {2, 3}};
  const Assignment assignment = test::assignment_of(choices, 4);
  for (const bool gather : {true, false}) {
    const Tensor inputs[] = {test::random_tensor({gather ? 5 : assignment.num_assigned(), 3}, 1),
                             test::random_tensor({4, 2, 3}, 2), test::random_tensor({4, 2}, 3)};
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> in) {
          return ops::grouped_linear(tape, in[0], assignment, gather, in[1], in[2]);
        },
        inputs))
        << "gather " << gather;
  }
}

TEST(GroupedLinearOpTest, ExpertWithoutRowsGetsZeroGradient) {
  const std::vector<std::int32_t> choices[] = {{0}, {0}};
  const Assignment assignment = test::assignment_of(choices, 2);
  const Tensor x = test::random_tensor({2, 3}, 1);
  const Tensor weight = test::random_tensor({2, 4, 3}, 2);
  Tape tape(Tape::Mode::kRecording);
  const Tensor y = ops::grouped_linear(tape, x, assignment, true, weight);
  tape.backward(y, Tensor::full(y.shape(), 1.0F));
  EXPECT_GT(test::max_abs(weight.grad().values().first(12)), 0.0F);
  EXPECT_EQ(test::max_abs(weight.grad().values().last(12)), 0.0F);
}

TEST(GroupedLinearOpTest, WrongShapesAreErrors) {
  const Assignment assignment = test::random_assignment(4, 3, 2);
  Tape tape;
  const Tensor x = Tensor::zeros({4, 5});
  EXPECT_THROW(ops::grouped_linear(tape, x, assignment, true, Tensor::zeros({3, 2, 6})), Error);
  EXPECT_THROW(ops::grouped_linear(tape, x, assignment, true, Tensor::zeros({2, 2, 5})), Error);
  EXPECT_THROW(ops::grouped_linear(tape, x, assignment, false, Tensor::zeros({3, 2, 5})), Error);
  EXPECT_THROW(ops::grouped_linear(tape, x, assignment, true, Tensor::zeros({3, 2, 5}), Tensor::zeros({2})), Error);
}

}  // namespace grouped_linear_test
}  // namespace witan
