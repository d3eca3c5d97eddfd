// Normalisation against plain loops in double, under every instruction set.
#include "kernels/norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace kernels_norm_test {

std::vector<float> normals(std::int64_t count, std::uint64_t seed) { return test::normals(count, seed, 0.5F); }

// Rows x cols at an odd address with room between the rows.
struct Rows {
  Rows(std::int64_t count, std::int64_t width, std::uint64_t seed)
      : storage(normals(count * (width + 3) + 1, seed)), rows(count), cols(width) {}
  Matrix view() { return {storage.data() + 1, rows, cols, cols + 3}; }
  std::vector<float> storage;
  std::int64_t rows;
  std::int64_t cols;
};

constexpr float kEpsilon = 1e-5F;
constexpr std::int64_t kWidths[] = {1, 2, 5, 16, 31, 64, 100, 257};
constexpr std::int64_t kRowCounts[] = {0, 1, 7, 130};

float tolerance(std::int64_t terms, const std::vector<float>& values) {
  return test::accumulation_tolerance(terms, 4.0F * (1.0F + test::max_abs(values)));
}

TEST(NormKernelTest, RmsNormMatchesReference) {
  for (const std::int64_t width : kWidths) {
    for (const std::int64_t rows : kRowCounts) {
      for (const std::int64_t groups : {1, 3}) {
        SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(groups) + " x " + std::to_string(width));
        Rows x(rows, groups * width, 1);
        Rows dy(rows, groups * width, 2);
        const std::vector<float> weight = normals(width, 3);
        Rows y = x;
        Rows dx = dy;
        std::vector<float> dweight(weight);
        Rows expected_y = y;
        Rows expected_dx = dx;
        std::vector<float> expected_dweight(weight);
        rms_norm_reference(x.view(), weight.data(), width, kEpsilon, expected_y.view());
        rms_norm_backward_reference(dy.view(), x.view(), weight.data(), width, kEpsilon, expected_dx.view(),
                                    expected_dweight.data());
        test::for_each_isa([&] {
          std::vector<float> inverse(static_cast<std::size_t>(rows * groups));
          rms_norm(x.view(), weight.data(), width, kEpsilon, y.view(), inverse.data());
          EXPECT_TRUE(test::near(y.storage, expected_y.storage, tolerance(width, expected_y.storage)));
          rms_norm_backward(dy.view(), x.view(), weight.data(), width, inverse.data(), {dx.view(), false},
                            {dweight.data(), false});
          EXPECT_TRUE(test::near(dx.storage, expected_dx.storage, tolerance(width, expected_dx.storage)));
          EXPECT_TRUE(test::near(dweight, expected_dweight, tolerance(rows * groups, expected_dweight)));
        });
      }
    }
  }
}

TEST(NormKernelTest, LayerNormMatchesReference) {
  for (const std::int64_t width : kWidths) {
    for (const std::int64_t rows : kRowCounts) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(width));
      Rows x(rows, width, 1);
      Rows dy(rows, width, 2);
      const std::vector<float> weight = normals(width, 3);
      const std::vector<float> bias = normals(width, 4);
      Rows y = x;
      Rows dx = dy;
      std::vector<float> dweight(weight);
      std::vector<float> dbias(weight);
      Rows expected_y = y;
      Rows expected_dx = dx;
      std::vector<float> expected_dweight(weight);
      std::vector<float> expected_dbias(weight);
      layer_norm_backward_reference(dy.view(), x.view(), weight.data(), kEpsilon, expected_dx.view(),
                                    expected_dweight.data(), expected_dbias.data());
      for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
        layer_norm_reference(x.view(), weight.data(), b, kEpsilon, expected_y.view());
        test::for_each_isa([&] {
          std::vector<float> mean(static_cast<std::size_t>(rows));
          std::vector<float> inverse(static_cast<std::size_t>(rows));
          layer_norm(x.view(), weight.data(), b, kEpsilon, y.view(), mean.data(), inverse.data());
          // One column: the deviation is rounding alone, over sqrt(epsilon).
          const float spread = width == 1 ? 1e-3F : tolerance(width, expected_y.storage);
          EXPECT_TRUE(test::near(y.storage, expected_y.storage, spread));
          layer_norm_backward(dy.view(), x.view(), weight.data(), mean.data(), inverse.data(), {dx.view(), false},
                              {dweight.data(), false}, {dbias.data(), false});
          // Two columns may lie so close that the inverse deviation magnifies the rounding of the mean.
          const float magnified = test::max_abs(inverse) * test::max_abs(inverse);
          EXPECT_TRUE(
              test::near(dx.storage, expected_dx.storage, (1.0F + magnified) * tolerance(width, expected_dx.storage)));
          EXPECT_TRUE(
              test::near(dweight, expected_dweight, (1.0F + magnified) * tolerance(rows + width, expected_dweight)));
          EXPECT_TRUE(test::near(dbias, expected_dbias, tolerance(rows, expected_dbias)));
        });
      }
    }
  }
}

TEST(NormKernelTest, BackwardAddsWhenAskedAndSkipsWhatNobodyWants) {
  test::for_each_isa([] {
    Rows x(9, 20, 1);
    Rows dy(9, 20, 2);
    const std::vector<float> weight = normals(20, 3);
    std::vector<float> inverse(9);
    Rows y(9, 20, 4);
    rms_norm(x.view(), weight.data(), 20, kEpsilon, y.view(), inverse.data());
    Rows once(9, 20, 5);
    Rows twice = once;
    std::vector<float> dweight(20, 0.0F);
    rms_norm_backward(dy.view(), x.view(), weight.data(), 20, inverse.data(), {once.view(), false},
                      {dweight.data(), false});
    std::vector<float> dweight_twice(dweight);
    rms_norm_backward(dy.view(), x.view(), weight.data(), 20, inverse.data(), {twice.view(), false}, {});
    EXPECT_TRUE(test::identical(once.storage, twice.storage));
    rms_norm_backward(dy.view(), x.view(), weight.data(), 20, inverse.data(), {twice.view(), true}, {});
    rms_norm_backward(dy.view(), x.view(), weight.data(), 20, inverse.data(), {}, {dweight_twice.data(), true});
    for (std::int64_t r = 0; r < 9; ++r) {
      for (std::int64_t c = 0; c < 20; ++c) EXPECT_FLOAT_EQ(twice.view()(r, c), 2.0F * once.view()(r, c));
    }
    for (std::size_t i = 0; i < 20; ++i) EXPECT_FLOAT_EQ(dweight_twice[i], 2.0F * dweight[i]);
  });
}

TEST(NormKernelTest, HugeAndTinyRowsStayFinite) {
  test::for_each_isa([] {
    for (const float size : {1e-38F, 1e-20F, 1e15F, 1e25F, 1e37F}) {
      std::vector<float> x = normals(40, 1);
      for (float& value : x) value *= size;
      const std::vector<float> weight(40, 1.0F);
      std::vector<float> y(40);
      std::vector<float> expected(40);
      rms_norm({x.data(), 1, 40}, weight.data(), 40, kEpsilon, {y.data(), 1, 40}, nullptr);
      rms_norm_reference({x.data(), 1, 40}, weight.data(), 40, kEpsilon, {expected.data(), 1, 40});
      EXPECT_TRUE(test::near(y, expected, 1e-5F * (1.0F + test::max_abs(expected)))) << size;
      layer_norm({x.data(), 1, 40}, weight.data(), nullptr, kEpsilon, {y.data(), 1, 40}, nullptr, nullptr);
      layer_norm_reference({x.data(), 1, 40}, weight.data(), nullptr, kEpsilon, {expected.data(), 1, 40});
      EXPECT_TRUE(test::near(y, expected, 1e-5F * (1.0F + test::max_abs(expected)))) << size;
    }
  });
}

TEST(NormKernelTest, NaNStaysInItsRow) {
  test::for_each_isa([] {
    Rows x(3, 20, 1);
    x.view()(1, 7) = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> weight(20, 1.0F);
    Rows y(3, 20, 2);
    rms_norm(x.view(), weight.data(), 20, kEpsilon, y.view(), nullptr);
    for (std::int64_t c = 0; c < 20; ++c) {
      EXPECT_TRUE(std::isfinite(y.view()(0, c)));
      EXPECT_TRUE(std::isnan(y.view()(1, c)));
      EXPECT_TRUE(std::isfinite(y.view()(2, c)));
    }
  });
}

TEST(NormKernelTest, WeightGradientHasTheSameBitsWithAnyNumberOfThreads) {
  Rows x(3000, 24, 1);
  Rows dy(3000, 24, 2);
  const std::vector<float> weight = normals(24, 3);
  const std::vector<float> inverse(3000, 1.0F);
  const int threads = num_threads();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 2, 3}) {
    set_num_threads(count);
    results.emplace_back(24);
    rms_norm_backward(dy.view(), x.view(), weight.data(), 24, inverse.data(), {}, {results.back().data(), false});
  }
  set_num_threads(threads);
  EXPECT_TRUE(test::identical(results[1], results[0]));
  EXPECT_TRUE(test::identical(results[2], results[0]));
}

}  // namespace kernels_norm_test
}  // namespace witan::kernels
