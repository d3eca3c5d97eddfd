// The rotary op: what the rotation must be, its gradient, wrong input.
#include "autograd/ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_rope_test {

using test::error_message;
using test::random_tensor;

TEST(RopeOpTest, TurnsEachPairByItsAngle) {
  const ops::RopeTable table = ops::make_rope_table(4, 100, 10000.0);
  EXPECT_EQ(table.positions(), 100);
  const Tensor x = Tensor::from({1, 4}, std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F});
  Tape tape;
  const std::vector<std::int32_t> positions{37};
  const Tensor y = ops::rope(tape, x, table, positions);
  const double slow = 37.0 * 0.01;  // theta^(-2/4) per position
  const std::vector<float> expected{static_cast<float>(std::cos(37.0) - 3.0 * std::sin(37.0)),
                                    static_cast<float>(2.0 * std::cos(slow) - 4.0 * std::sin(slow)),
                                    static_cast<float>(3.0 * std::cos(37.0) + std::sin(37.0)),
                                    static_cast<float>(4.0 * std::cos(slow) + 2.0 * std::sin(slow))};
  EXPECT_TRUE(test::near(y.values(), expected, 1e-6F));
}

TEST(RopeOpTest, ScoresDependOnDistanceAlone) {
  const ops::RopeTable table = ops::make_rope_table(8, 200, 10000.0);
  const Tensor q = random_tensor({1, 8}, 1);
  const Tensor k = random_tensor({1, 8}, 2);
  const auto score = [&](std::int32_t at_q, std::int32_t at_k) {
    Tape tape;
    const Tensor turned_q = ops::rope(tape, q, table, std::vector<std::int32_t>{at_q});
    const Tensor turned_k = ops::rope(tape, k, table, std::vector<std::int32_t>{at_k});
    double sum = 0.0;
    for (std::size_t i = 0; i < 8; ++i) sum += static_cast<double>(turned_q.values()[i]) * turned_k.values()[i];
    return sum;
  };
  EXPECT_NEAR(score(5, 2), score(150, 147), 1e-5);
  EXPECT_GT(std::fabs(score(5, 2) - score(9, 2)), 1e-3);
}

TEST(RopeOpTest, GradientsMatchCentralDifferences) {
  const ops::RopeTable table = ops::make_rope_table(6, 50, 100.0);
  const Tensor inputs[] = {random_tensor({4, 12}, 1)};
  const std::vector<std::int32_t> positions{0, 49, 7, 7};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return ops::rope(tape, x[0], table, positions); }, inputs));
}

TEST(RopeOpTest, WrongInputSaysSo) {
  EXPECT_EQ(error_message([] { ops::make_rope_table(7, 10, 10000.0); }),
            "rope: head_dim=7 must be even and at least 2");
  EXPECT_EQ(error_message([] { ops::make_rope_table(8, 10, 0.0); }), "rope: theta=0 must be above 0");
  const ops::RopeTable table = ops::make_rope_table(8, 10, 10000.0);
  Tape tape;
  const std::vector<std::int32_t> positions{0, 1};
  const std::vector<std::int32_t> outside{0, 10};
  EXPECT_EQ(error_message([&] {
              ops::rope(tape, random_tensor({2, 12}, 1), table, positions);
            }),
            "rope: x=[2, 12] does not fit head_dim=8; expected [T, heads * head_dim]");
  EXPECT_EQ(error_message([&] {
              ops::rope(tape, random_tensor({3, 16}, 1), table, positions);
            }),
            "rope: 2 positions for the 3 rows of x=[3, 16]");
  EXPECT_EQ(error_message([&] {
              ops::rope(tape, random_tensor({2, 16}, 1), table, outside);
            }),
            "rope: position=10 is outside the table of 10 positions from 0 on");
}

}  // namespace autograd_ops_rope_test
}  // namespace witan
