// Combine: values, gradients to outputs and weights, rows that nobody served.
#include "dispatch/combine.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/assignments.h"
#include "support/gradient_check.h"

namespace witan {
namespace combine_test {

TEST(CombineTest, RowsAreWeightedSumsAndUnservedRowsAreZero) {
  const std::vector<std::int32_t> choices[] = {{0, 1}, {}, {1}};
  const Assignment assignment = test::assignment_of(choices, 2);  // entries: (0, e0), (0, e1), (2, e1)
  Tape tape;
  const Tensor outputs = Tensor::from({3, 2}, std::vector<float>{1, 2, 10, 20, 100, 200});
  const Tensor weights = Tensor::from({3}, std::vector<float>{0.5F, 2.0F, 3.0F});
  const Tensor rows = combine(tape, outputs, weights, assignment);
  const std::vector<float> expected = {20.5F, 41.0F, 0.0F, 0.0F, 300.0F, 600.0F};
  EXPECT_EQ(std::vector<float>(rows.values().begin(), rows.values().end()), expected);
}

TEST(CombineTest, GradientsMatchDifferences) {
  const Assignment assignment = test::random_assignment(6, 4, 2);
  const Tensor inputs[] = {test::random_tensor({12, 3}, 1), test::random_tensor({12}, 2)};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> in) { return combine(tape, in[0], in[1], assignment); }, inputs));
}

TEST(CombineTest, WrongShapesAreErrors) {
  const Assignment assignment = test::random_assignment(6, 4, 2);
  Tape tape;
  EXPECT_THROW(combine(tape, Tensor::zeros({6, 3}), Tensor::zeros({12}), assignment), Error);
  EXPECT_THROW(combine(tape, Tensor::zeros({12, 3}), Tensor::zeros({6}), assignment), Error);
}

}  // namespace combine_test
}  // namespace witan
