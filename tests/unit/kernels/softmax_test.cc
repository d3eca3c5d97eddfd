// Softmax, log-sum-exp and entropy against plain loops in double, under every instruction set, and at the edges of f32.
#include "kernels/softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace kernels_softmax_test {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows x cols at an odd address with room between the rows.
struct Rows {
  Rows(std::int64_t count, std::int64_t width, std::uint64_t seed)
      : storage(static_cast<std::size_t>(count * (width + 3) + 1)), rows(count), cols(width) {
    Random(seed).fill_normal(storage, 0.0F, 3.0F);
  }
  Matrix view() { return {storage.data() + 1, rows, cols, cols + 3}; }
  std::vector<float> storage;
  std::int64_t rows;
  std::int64_t cols;
};

std::vector<float> softmax_of(std::vector<float> x) {
  const auto count = static_cast<std::int64_t>(x.size());
  softmax({x.data(), 1, count}, {x.data(), 1, count});
  return x;
}

float log_sum_exp_of(std::vector<float> x) {
  float result = 0.0F;
  log_sum_exp({x.data(), 1, static_cast<std::int64_t>(x.size())}, &result);
  return result;
}

TEST(SoftmaxKernelTest, MatchesReference) {
  for (const std::int64_t cols : {1, 2, 7, 8, 16, 31, 64, 130}) {
    for (const std::int64_t rows : {0, 1, 5, 200}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols));
      Rows x(rows, cols, 3);
      Rows y(rows, cols, 2);
      Rows expected = y;
      std::vector<float> lse(static_cast<std::size_t>(rows));
      std::vector<float> expected_lse(lse);
      softmax_reference(x.view(), expected.view());
      log_sum_exp_reference(x.view(), expected_lse.data());
      test::for_each_isa([&] {
        softmax(x.view(), y.view());
        EXPECT_TRUE(test::near(y.storage, expected.storage, 1e-6F));
        log_sum_exp(x.view(), lse.data());
        EXPECT_TRUE(test::near(lse, expected_lse, 4e-6F));
      });
    }
  }
}

TEST(SoftmaxKernelTest, EntropyMatchesReference) {
  for (const std::int64_t cols : {1, 2, 7, 8, 16, 31, 64, 130}) {
    Rows p(5, cols, 1);
    softmax(p.view(), p.view());
    if (cols > 1) p.view()(2, cols - 1) = 0.0F;  // 0 log 0
    std::vector<float> entropies(5);
    std::vector<float> expected(5);
    row_entropy_reference(p.view(), expected.data());
    test::for_each_isa([&] {
      row_entropy(p.view(), entropies.data());
      EXPECT_TRUE(test::near(entropies, expected, 3e-6F)) << cols;
    });
  }
}

TEST(SoftmaxKernelTest, BackwardAddsWhenAsked) {
  test::for_each_isa([] {
    Rows x(6, 21, 1);
    Rows dy(6, 21, 2);
    Rows y(6, 21, 3);
    Rows dx(6, 21, 4);
    softmax(x.view(), y.view());
    softmax_backward(dy.view(), y.view(), dx.view(), false);
    Rows twice = dx;
    softmax_backward(dy.view(), y.view(), twice.view(), true);
    for (std::int64_t r = 0; r < 6; ++r) {
      double dot = 0.0;
      for (std::int64_t c = 0; c < 21; ++c) dot += static_cast<double>(dy.view()(r, c)) * y.view()(r, c);
      for (std::int64_t c = 0; c < 21; ++c) {
        EXPECT_NEAR(dx.view()(r, c), y.view()(r, c) * (dy.view()(r, c) - dot), 1e-5);
        EXPECT_FLOAT_EQ(twice.view()(r, c), 2.0F * dx.view()(r, c));
      }
    }
  });
}

TEST(SoftmaxKernelTest, LogSumExpBackwardIsTheSoftmax) {
  test::for_each_isa([] {
    Rows x(6, 21, 1);
    Rows y(6, 21, 3);
    Rows dx(6, 21, 4);
    std::vector<float> lse(6);
    const std::vector<float> dlse(6, 2.0F);
    softmax(x.view(), y.view());
    log_sum_exp(x.view(), lse.data());
    log_sum_exp_backward(dlse.data(), x.view(), lse.data(), dx.view(), false);
    log_sum_exp_backward(dlse.data(), x.view(), lse.data(), dx.view(), true);
    for (std::int64_t r = 0; r < 6; ++r) {
      for (std::int64_t c = 0; c < 21; ++c) EXPECT_NEAR(dx.view()(r, c), 4.0F * y.view()(r, c), 1e-5);
    }
  });
}

TEST(SoftmaxKernelTest, HugeLogitsAreSafe) {
  test::for_each_isa([] {
    EXPECT_TRUE(test::identical(softmax_of({1e30F, -1e30F, 1e30F}), std::vector<float>{0.5F, 0.0F, 0.5F}));
    EXPECT_TRUE(test::identical(softmax_of({-3e38F, 3e38F}), std::vector<float>{0.0F, 1.0F}));
    EXPECT_EQ(log_sum_exp_of({1e30F, 0.0F}), 1e30F);
    EXPECT_EQ(log_sum_exp_of({-1e30F, -1e30F}), -1e30F);
    EXPECT_FLOAT_EQ(log_sum_exp_of({100.0F, 100.0F}), 100.0F + std::log(2.0F));
  });
}

TEST(SoftmaxKernelTest, MaskedEntriesHaveNoWeight) {
  test::for_each_isa([] {
    const std::vector<float> y = softmax_of({-kInfinity, 2.0F, -kInfinity, 2.0F});
    EXPECT_TRUE(test::identical(y, std::vector<float>{0.0F, 0.5F, 0.0F, 0.5F}));
    EXPECT_FLOAT_EQ(log_sum_exp_of({-kInfinity, 3.0F}), 3.0F);
  });
}

TEST(SoftmaxKernelTest, ARowOfNothingButMinusInfinity) {
  test::for_each_isa([] {
    EXPECT_THROW(softmax_of({-kInfinity, -kInfinity}), Bug);
    EXPECT_EQ(log_sum_exp_of({-kInfinity, -kInfinity}), -kInfinity);
    EXPECT_EQ(log_sum_exp_of({}), -kInfinity);
    std::vector<float> x{-kInfinity, -kInfinity};
    std::vector<float> dx{7.0F, 7.0F};
    const float lse = -kInfinity;
    const float dlse = 1.0F;
    log_sum_exp_backward(&dlse, {x.data(), 1, 2}, &lse, {dx.data(), 1, 2}, false);
    EXPECT_TRUE(test::identical(dx, std::vector<float>{0.0F, 0.0F}));
  });
}

TEST(SoftmaxKernelTest, NaNAndPlusInfinityMakeTheRowNaN) {
  test::for_each_isa([] {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
      for (std::size_t at = 0; at < 20; ++at) {
        std::vector<float> x(20, 1.0F);
        x[at] = bad;
        for (const float value : softmax_of(x)) EXPECT_TRUE(std::isnan(value)) << at;
        EXPECT_TRUE(std::isnan(log_sum_exp_of(x))) << at;
      }
      for (const float value : softmax_of({-kInfinity, bad})) EXPECT_TRUE(std::isnan(value));
    }
  });
}

}  // namespace kernels_softmax_test
}  // namespace witan::kernels
