// Tape and tensor: order, sharing and what is freed when.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include "base/pool.h"
#include "support/gradient_check.h"

namespace witan {
namespace tape_test {

Tensor times(Tape& tape, const Tensor& x, float factor) {
  Tensor y = tape.output(x.shape(), {&x});
  for (std::size_t i = 0; i < x.values().size(); ++i) y.values()[i] = factor * x.values()[i];
  tape.record(y, [dy = y.grad(), dx = x.grad(), factor] {
    const std::span<float> sum = dx.accumulator();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += factor * dy.values()[i];
  });
  return y;
}

TEST(TapeTest, GradientsOfSharedInputsAdd) {
  Tape tape(Tape::Mode::kRecording);
  const Tensor x = test::random_tensor({2, 3}, 1);
  const Tensor y = times(tape, x, 2.0F);
  const Tensor z = times(tape, y, 3.0F);
  const Tensor w = times(tape, y, 5.0F);  // never used: must not be followed
  tape.backward(z, Tensor::full({2, 3}, 1.0F));
  for (const float gradient : x.grad().values()) EXPECT_EQ(gradient, 6.0F);
  EXPECT_FALSE(w.grad().present());
  EXPECT_EQ(tape.size(), 0U);
}

TEST(TapeTest, KeepsObjectsUntilItIsEmpty) {
  const Tensor x = test::random_tensor({2}, 1);
  const auto object = std::make_shared<const int>(1);
  Tape tape(Tape::Mode::kRecording);
  tape.keep(object);
  EXPECT_EQ(object.use_count(), 2);
  tape.backward(times(tape, x, 2.0F), Tensor::full({2}, 1.0F));
  EXPECT_EQ(object.use_count(), 1);
  tape.keep(object);
  tape.clear();
  EXPECT_EQ(object.use_count(), 1);
  Tape off;
  off.keep(object);
  EXPECT_EQ(object.use_count(), 1);
}

TEST(TapeTest, KeepsNothingWhenOff) {
  Tape tape;
  const Tensor x = test::random_tensor({4}, 1);
  const Tensor y = times(tape, x, 2.0F);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(tape.size(), 0U);
}

TEST(TapeTest, SecondPassAllocatesNothingFromTheSystem) {
  const Tensor x = test::random_tensor({1000}, 1);
  const auto pass = [&] {
    Tape tape(Tape::Mode::kRecording);
    Tensor y = x;
    for (int i = 0; i < 10; ++i) y = times(tape, y, 1.1F);
    tape.backward(y, Tensor::full({1000}, 1.0F));
    x.grad().clear();
  };
  pass();
  const auto before = pool_statistics();
  pass();
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(pool_statistics().bytes_in_use, before.bytes_in_use);
}

}  // namespace tape_test
}  // namespace witan
