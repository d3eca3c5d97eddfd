// Gradients and refusals of the elementwise ops and the embedding.
#include "autograd/ops/elementwise.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <vector>

#include "autograd/ops/embedding.h"
#include "base/error.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_elementwise_test {

using Inputs = std::span<const Tensor>;

TEST(ElementwiseOpsTest, GradientsMatchCentralDifferences) {
  const std::vector<Tensor> two = {test::random_tensor({3, 5}, 1), test::random_tensor({3, 5}, 2)};
  const std::vector<Tensor> one = {test::random_tensor({3, 5}, 1)};
  const std::vector<Tensor> rows = {test::random_tensor({3, 5}, 1), test::random_tensor({3}, 2)};
  const std::vector<Tensor> scalars = {test::random_tensor({}, 1), test::random_tensor({1}, 2)};
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::add(t, x[0], x[1]); }, two));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::multiply(t, x[0], x[1]); }, two));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::scale(t, x[0], -3.0F); }, one));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::scale_rows(t, x[0], x[1]); }, rows));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::sigmoid(t, x[0]); }, one));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::tanh(t, x[0]); }, one));
  const std::vector<Tensor> with_factor = {one[0], test::random_tensor({1}, 8)};
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::scale_by(t, x[0], x[1]); }, with_factor));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::mean(t, x[0]); }, one));
  const std::vector<float> weights = {2.0F, -0.5F};
  EXPECT_TRUE(test::gradients_match([&](Tape& t, Inputs x) { return ops::weighted_sum(t, x, weights); }, scalars));
}

TEST(ElementwiseOpsTest, OneTensorOnBothSides) {
  const std::vector<Tensor> one = {test::random_tensor({3, 5}, 1)};
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::add(t, x[0], x[0]); }, one));
  EXPECT_TRUE(test::gradients_match([](Tape& t, Inputs x) { return ops::multiply(t, x[0], x[0]); }, one));
}

TEST(ElementwiseOpsTest, OnlyTheSideThatWantsAGradientGetsOne) {
  const Tensor x = test::random_tensor({2, 2}, 1);
  const Tensor constant = Tensor::full({2, 2}, 3.0F);
  Tape tape(Tape::Mode::kRecording);
  tape.backward(ops::mean(tape, ops::multiply(tape, x, constant)));
  EXPECT_TRUE(test::near(x.grad().values(), std::vector<float>(4, 0.75F), 1e-7F));
}

TEST(ElementwiseOpsTest, RefusesShapesThatDiffer) {
  Tape tape;
  const Tensor a = Tensor::zeros({2, 3});
  const Tensor b = Tensor::zeros({3, 2});
  EXPECT_EQ(test::error_message([&] { ops::add(tape, a, b); }), "add: shapes [2, 3] and [3, 2] differ");
  EXPECT_EQ(test::error_message([&] { ops::multiply(tape, a, b); }), "multiply: shapes [2, 3] and [3, 2] differ");
  EXPECT_EQ(test::error_message([&] { ops::scale_rows(tape, a, Tensor::zeros({3})); }),
            "scale_rows: x [2, 3] needs one factor per row (2), got [3]");
  EXPECT_EQ(test::error_message([&] { ops::mean(tape, Tensor::zeros({0, 3})); }), "mean: x [0, 3] has no elements");
  EXPECT_EQ(test::error_message([&] { ops::weighted_sum(tape, std::vector<Tensor>{a}, std::vector<float>{1.0F}); }),
            "weighted_sum: input 0 is [2, 3], not a scalar");
}

TEST(EmbeddingTest, GradientMatchesCentralDifferences) {
  const std::vector<std::int32_t> ids = {3, 0, 3, 3, 1};
  const std::vector<Tensor> table = {test::random_tensor({4, 6}, 1)};
  EXPECT_TRUE(test::gradients_match([&](Tape& t, Inputs x) { return ops::embedding(t, x[0], ids); }, table));
}

TEST(EmbeddingTest, RefusesAnIdOutsideTheTable) {
  Tape tape;
  const Tensor table = Tensor::zeros({4, 6});
  for (const std::int32_t id : {-1, 4}) {
    try {
      ops::embedding(tape, table, std::vector<std::int32_t>{0, id});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), fmt::format("embedding: id {} at position 1 is outside [0, 4)", id));
    }
  }
}

}  // namespace autograd_ops_elementwise_test
}  // namespace witan
