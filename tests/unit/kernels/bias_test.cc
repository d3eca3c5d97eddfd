// Bias rows and their gradient against the references, on strided and unaligned views.
#include "kernels/bias.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/compare.h"
#include "support/normals.h"

namespace witan::kernels {
namespace bias_test {

using test::normals;

TEST(BiasTest, MatchesTheReferencesAtOddSizes) {
  struct Case {
    std::int64_t rows, cols;
  };
  for (const auto& [rows, cols] : {Case{0, 3}, Case{1, 1}, Case{7, 33}, Case{513, 129}}) {
    const std::int64_t stride = cols + 3;
    const std::vector<float> bias = normals(cols, 3);
    std::vector<float> y = normals(rows * stride + 1, 2);
    std::vector<float> expected = y;
    add_row(bias, {y.data() + 1, rows, cols, stride});
    add_row_reference(bias, {expected.data() + 1, rows, cols, stride});
    EXPECT_TRUE(test::near(y, expected, 1e-6F)) << rows << "x" << cols;
    for (const bool accumulate : {false, true}) {
      std::vector<float> sums(static_cast<std::size_t>(cols), 2.0F);
      std::vector<float> sums_expected = sums;
      sum_rows({y.data() + 1, rows, cols, stride}, sums, accumulate);
      sum_rows_reference({y.data() + 1, rows, cols, stride}, sums_expected, accumulate);
      // The partial sums, as large as the square root of their count, round like products do.
      EXPECT_TRUE(test::near(sums, sums_expected, test::accumulation_tolerance(rows, 64.0F))) << rows << "x" << cols;
    }
  }
}

}  // namespace bias_test
}  // namespace witan::kernels
