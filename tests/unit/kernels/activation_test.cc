// Nonlinearities against the C library in double precision.
#include "kernels/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace kernels_activation_test {

// What is x far above 0 and 0 far below it; and the others.
constexpr Activation kRamps[] = {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kRelu,
                                 Activation::kQuickGelu};
constexpr Activation kAll[] = {Activation::kSilu,      Activation::kGelu,  Activation::kGeluTanh, Activation::kRelu,
                               Activation::kQuickGelu, Activation::kRelu2, Activation::kTanh};

// Ordinary values, the edges of the polynomials, and what must not overflow.
std::vector<float> inputs(std::size_t size) {
  std::vector<float> x = {0.0F, -0.0F, 1.312F, -1.312F, 14.2F, -14.2F, 88.0F, -88.0F, 104.5F, -104.5F, 3e38F, -3e38F};
  Random random(5);
  while (x.size() < size) x.push_back(4.0F * random.normal());
  x.resize(size);
  return x;
}

// A few units in the last place of the larger of the value and its argument's share in rounding.
float tolerance(double exact, float x) {
  return 2e-6F * static_cast<float>(std::fabs(exact)) + 3e-7F * std::min(1.0F, std::fabs(x)) + 1e-37F;
}

TEST(ActivationTest, ValueAndSlopeMatchReference) {
  test::for_each_isa([] {
    for (const Activation kind : kAll) {
      SCOPED_TRACE(std::string(activation_name(kind)));
      for (const std::size_t size : {0U, 1U, 3U, 16U, 1003U}) {
        const std::vector<float> x = inputs(size);
        std::vector<float> y(size);
        std::vector<float> dx(size, 2.0F);
        activation(kind, x, y);
        activation_backward(kind, x, std::vector<float>(size, 1.0F), dx, true);
        for (std::size_t i = 0; i < size; ++i) {
          const ValueAndSlope exact = activation_reference(kind, static_cast<double>(x[i]));
          if (std::isnan(exact.slope)) continue;  // the reference overflows, inf * 0: checked below
          EXPECT_NEAR(y[i], exact.value, tolerance(exact.value, x[i])) << "x = " << x[i];
          if (exact.slope > static_cast<double>(std::numeric_limits<float>::max())) continue;
          // The slope of the tanh form multiplies the rounding of 1 - s by up to 30 before s is 1.
          EXPECT_NEAR(dx[i], 2.0 + exact.slope, 4e-6) << "x = " << x[i];
        }
      }
    }
  });
}

TEST(ActivationTest, ExtremesStayFiniteAndNanStaysNan) {
  test::for_each_isa([] {
    for (const Activation kind : kRamps) {
      SCOPED_TRACE(std::string(activation_name(kind)));
      const std::vector<float> x = {3e38F, -3e38F, std::numeric_limits<float>::quiet_NaN()};
      std::vector<float> y(3);
      std::vector<float> dx(3);
      activation(kind, x, y);
      activation_backward(kind, x, std::vector<float>(3, 1.0F), dx, false);
      EXPECT_EQ(y[0], 3e38F);
      EXPECT_EQ(y[1], 0.0F);
      EXPECT_TRUE(std::isnan(y[2]));
      EXPECT_EQ(dx[0], 1.0F);
      EXPECT_EQ(dx[1], 0.0F);
    }
  });
}

TEST(ActivationTest, ExtremesOfTheOthers) {
  test::for_each_isa([] {
    const std::vector<float> x = {3e38F, -3e38F, std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> y(3);
    std::vector<float> dx(3);
    const auto run = [&](Activation kind) {
      activation(kind, x, y);
      activation_backward(kind, x, std::vector<float>(3, 1.0F), dx, false);
      EXPECT_TRUE(std::isnan(y[2]));
      EXPECT_EQ(dx[1], 0.0F);
    };
    run(Activation::kTanh);
    EXPECT_EQ(y[0], 1.0F);
    EXPECT_EQ(y[1], -1.0F);
    EXPECT_EQ(dx[0], 0.0F);
    run(Activation::kRelu2);
    EXPECT_EQ(y[0], std::numeric_limits<float>::infinity());
    EXPECT_EQ(y[1], 0.0F);
  });
}

TEST(ActivationTest, GatedFormsMatchTheirParts) {
  test::for_each_isa([] {
    for (const Activation kind : kAll) {
      SCOPED_TRACE(std::string(activation_name(kind)));
      const std::size_t size = 37;
      std::vector<float> gate(size);
      std::vector<float> up(size);
      std::vector<float> dh(size);
      Random random(9);
      for (std::vector<float>* values : {&gate, &up, &dh}) random.fill_normal(*values, 0.0F, 1.5F);
      std::vector<float> h(size);
      std::vector<float> d_gate(size, 1.0F);
      std::vector<float> d_up = dh;
      gated_activation(kind, gate, up, h);
      // In place for one target, added to the other.
      gated_activation_backward(kind, gate, up, d_up, {d_gate.data(), true}, {d_up.data(), false});
      for (std::size_t i = 0; i < size; ++i) {
        const ValueAndSlope exact = activation_reference(kind, static_cast<double>(gate[i]));
        EXPECT_NEAR(h[i], exact.value * static_cast<double>(up[i]), 1e-5);
        EXPECT_NEAR(d_gate[i], 1.0 + exact.slope * static_cast<double>(up[i] * dh[i]), 1e-5);
        EXPECT_NEAR(d_up[i], exact.value * static_cast<double>(dh[i]), 1e-5);
      }
    }
  });
}

// Blocks of a wider matrix, in place, give what the plain calls give.
TEST(ActivationTest, BlocksMatchPlainCalls) {
  constexpr std::int64_t kRows = 5;
  constexpr std::int64_t kCols = 19;
  constexpr std::int64_t kStride = 24;
  test::for_each_isa([] {
    for (const Activation kind : kAll) {
      SCOPED_TRACE(std::string(activation_name(kind)));
      std::vector<float> gate(kRows * kStride);
      std::vector<float> up(gate.size());
      std::vector<float> dh(gate.size());
      Random random(9);
      for (std::vector<float>* values : {&gate, &up, &dh}) random.fill_normal(*values, 0.0F, 1.5F);
      const auto view = [](std::vector<float>& values) { return Matrix(values.data(), kRows, kCols, kStride); };
      std::vector<float> h(gate.size());
      std::vector<float> d_gate(gate.size());
      std::vector<float> d_up(gate.size());
      gated_activation(kind, gate, up, h);
      gated_activation_backward(kind, gate, up, dh, {d_gate.data(), false}, {d_up.data(), false});
      std::vector<float> y(up.size());
      std::vector<float> dx(up.size());
      activation(kind, up, y);
      activation_backward(kind, up, dh, dx, false);

      std::vector<float> block_h(gate.size());
      std::vector<float> block_y(up.size());
      gated_activation_block(kind, view(gate), view(up), view(block_h));
      activation_block(kind, view(up), view(block_y));
      std::vector<float> gate_to_d = gate;
      std::vector<float> up_to_d = up;
      std::vector<float> dh_to_h = dh;
      gated_activation_backward_block(kind, view(gate_to_d), view(up_to_d), view(dh_to_h));
      std::vector<float> x_to_dx = up;
      std::vector<float> dy_to_y = dh;
      activation_backward_block(kind, view(x_to_dx), view(dy_to_y));
      for (std::int64_t r = 0; r < kRows; ++r) {
        const auto row = [r](const std::vector<float>& values) {
          return std::span(values).subspan(static_cast<std::size_t>(r * kStride), kCols);
        };
        EXPECT_TRUE(test::near(row(block_h), row(h), 1e-6F));
        EXPECT_TRUE(test::near(row(block_y), row(y), 1e-6F));
        EXPECT_TRUE(test::near(row(gate_to_d), row(d_gate), 1e-5F));
        EXPECT_TRUE(test::near(row(up_to_d), row(d_up), 1e-5F));
        EXPECT_TRUE(test::near(row(dh_to_h), row(h), 1e-5F));
        EXPECT_TRUE(test::near(row(x_to_dx), row(dx), 1e-5F));
        EXPECT_TRUE(test::near(row(dy_to_y), row(y), 1e-6F));
        // What stands beside the block is left alone.
        EXPECT_EQ(gate_to_d[static_cast<std::size_t>(r * kStride + kCols)],
                  gate[static_cast<std::size_t>(r * kStride + kCols)]);
      }
    }
  });
}

TEST(ActivationTest, NamesAreParsedBack) {
  for (const Activation kind : kAll) EXPECT_EQ(parse_activation(activation_name(kind)), kind);
  EXPECT_THROW(parse_activation("swish2"), Error);
}

}  // namespace kernels_activation_test
}  // namespace witan::kernels
