// Selection of columns: copies, gaps, repetition, and the way back.
#include "autograd/ops/columns.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace columns_test {

std::shared_ptr<const ops::ColumnMap> map_of(ops::ColumnMap map) {
  return std::make_shared<ops::ColumnMap>(std::move(map));
}

TEST(SelectColumnsTest, CopiesReordersRepeatsAndLeavesGaps) {
  Tape off;
  const Tensor x = Tensor::from({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Tensor y = ops::select_columns(off, x, map_of({2, ops::kNoColumn, 0, 2}));
  EXPECT_EQ(y.shape(), (Shape{2, 4}));
  EXPECT_TRUE(test::identical(y.values(), std::vector<float>{3, 0, 1, 3, 6, 0, 4, 6}));
}

TEST(SelectColumnsTest, GradientsMatchCentralDifferences) {
  const Tensor inputs[] = {test::random_tensor({5, 4}, 1)};
  const auto map = map_of({3, 0, ops::kNoColumn, 3, 1});
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return ops::select_columns(tape, x[0], map); }, inputs));
}

TEST(SelectColumnsTest, GradientOfAnotherShapeOfATensor) {
  Tensor x = Tensor::from({3}, std::vector<float>{1, 2, 3});
  x.set_requires_grad(true);
  Tape tape(Tape::Mode::kRecording);
  const Tensor y = ops::select_columns(tape, x.reshaped({3, 1}), map_of({ops::kNoColumn, 0}));
  tape.backward(y, Tensor::from({3, 2}, std::vector<float>{9, 4, 9, 5, 9, 6}));
  EXPECT_TRUE(test::identical(x.grad().values(), std::vector<float>{4, 5, 6}));
}

TEST(SelectColumnsTest, NoSuchColumn) {
  Tape off;
  const Tensor x = Tensor::zeros({2, 3});
  const std::string message = test::error_message([&] { ops::select_columns(off, x, map_of({0, 3})); });
  EXPECT_NE(message.find("column 3"), std::string::npos) << message;
}

}  // namespace columns_test
}  // namespace witan
