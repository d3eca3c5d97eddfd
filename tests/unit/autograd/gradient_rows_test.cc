// Gradients that come in rows: only named rows are stored, and whoever wants all of it gets all of it.
#include <gtest/gtest.h>

#include <vector>

#include "autograd/tensor.h"

namespace witan {
namespace gradient_rows_test {

using Rows = std::vector<std::int32_t>;

Tensor table() {
  Tensor tensor = Tensor::zeros({6, 1, 2});
  tensor.set_requires_grad(true);
  return tensor;
}

void add(const Gradient& gradient, const Rows& rows, float value) {
  for (float* const row : gradient.add_rows(rows)) {
    row[0] += value;
    row[1] += 10.0F * value;
  }
}

std::vector<float> all(const Gradient& gradient) { return {gradient.values().begin(), gradient.values().end()}; }

TEST(GradientRowsTest, StoresTheRowsThatWereNamed) {
  const Tensor tensor = table();
  add(tensor.grad(), {1, 4}, 1.0F);
  add(tensor.grad(), {0, 4, 5}, 2.0F);
  ASSERT_TRUE(tensor.grad().in_rows());
  EXPECT_EQ(Rows(tensor.grad().stored_rows().begin(), tensor.grad().stored_rows().end()), (Rows{0, 1, 4, 5}));
  const std::vector<float> stored(tensor.grad().stored_values().begin(), tensor.grad().stored_values().end());
  EXPECT_EQ(stored, (std::vector<float>{2, 20, 1, 10, 3, 30, 2, 20}));
}

TEST(GradientRowsTest, WhoeverAsksForAllGetsAll) {
  const Tensor tensor = table();
  add(tensor.grad(), {1, 4}, 1.0F);
  EXPECT_EQ(all(tensor.grad()), (std::vector<float>{0, 0, 1, 10, 0, 0, 0, 0, 1, 10, 0, 0}));
  EXPECT_FALSE(tensor.grad().in_rows());
  EXPECT_EQ(tensor.grad().stored_values().size(), 12U);
}

TEST(GradientRowsTest, RowsAreAddedToAWholeGradientAndTheOtherWayAround) {
  const Tensor tensor = table();
  tensor.grad().accumulator()[3] = 5.0F;
  add(tensor.grad(), {1}, 1.0F);
  EXPECT_FALSE(tensor.grad().in_rows());
  EXPECT_EQ(all(tensor.grad())[2], 1.0F);
  EXPECT_EQ(all(tensor.grad())[3], 15.0F);

  const Tensor other = table();
  add(other.grad(), {2}, 1.0F);
  const Gradient::Sink sink = other.grad().sink();
  EXPECT_TRUE(sink.accumulate);
  EXPECT_EQ(sink.data[4], 1.0F);
  EXPECT_EQ(sink.data[6], 0.0F);
}

TEST(GradientRowsTest, NoRowsAreAPresentGradientOfZero) {
  const Tensor tensor = table();
  add(tensor.grad(), {}, 1.0F);
  EXPECT_TRUE(tensor.grad().present());
  EXPECT_EQ(tensor.grad().stored_values().size(), 0U);
  tensor.grad().clear();
  EXPECT_FALSE(tensor.grad().present());
  add(tensor.grad(), {3}, 1.0F);
  EXPECT_EQ(all(tensor.grad())[6], 1.0F);
}

}  // namespace gradient_rows_test
}  // namespace witan
