// Sums of scattered rows against the references.
#include "kernels/scatter.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace scatter_test {

class ScatterTest : public testing::TestWithParam<std::int64_t> {
 protected:
  // Row 1 has no entry, row 4 has three.
  const std::vector<std::int32_t> rows_ = {4, 0, 2, 4, 3, 4, 0};
  static constexpr std::int64_t kRows = 5;

  static std::vector<float> filled(std::int64_t size, std::uint64_t seed) {
    std::vector<float> values(static_cast<std::size_t>(size));
    Random(seed).fill_normal(values, 0.0F, 1.0F);
    return values;
  }
};

TEST_P(ScatterTest, SumSpreadAndDotMatchTheReferences) {
  const std::int64_t cols = GetParam();
  const auto entries = static_cast<std::int64_t>(rows_.size());
  const std::vector<float> by_entry = filled(entries * cols, 1);
  const std::vector<float> by_row = filled(kRows * cols, 2);
  const std::vector<float> weights = filled(entries, 3);
  const float tolerance = test::accumulation_tolerance(cols, 16.0F);
  test::for_each_isa([&] {
    for (const bool accumulate : {false, true}) {
      std::vector<float> sum(by_row.size(), 1.0F);
      std::vector<float> plain_sum(by_row.size(), 1.0F);
      std::vector<float> spread(by_entry.size(), 1.0F);
      std::vector<float> dots(weights.size(), 1.0F);
      const RowEntries inverse = entries_by_row(rows_, kRows);
      sum_entries(inverse, {by_entry.data(), entries, cols}, weights, {sum.data(), kRows, cols}, accumulate);
      sum_entries(inverse, {by_entry.data(), entries, cols}, {}, {plain_sum.data(), kRows, cols}, accumulate);
      spread_rows(rows_, {by_row.data(), kRows, cols}, weights, {spread.data(), entries, cols}, accumulate);
      dot_rows(rows_, {by_entry.data(), entries, cols}, {by_row.data(), kRows, cols}, dots, accumulate);

      std::vector<float> sum_expected(by_row.size(), 1.0F);
      std::vector<float> plain_expected(by_row.size(), 1.0F);
      std::vector<float> spread_expected(by_entry.size(), 1.0F);
      std::vector<float> dots_expected(weights.size(), 1.0F);
      const ConstMatrix x(by_entry.data(), entries, cols);
      const ConstMatrix y(by_row.data(), kRows, cols);
      sum_entries_reference(inverse, x, weights, {sum_expected.data(), kRows, cols}, accumulate);
      sum_entries_reference(inverse, x, {}, {plain_expected.data(), kRows, cols}, accumulate);
      spread_rows_reference(rows_, y, weights, {spread_expected.data(), entries, cols}, accumulate);
      dot_rows_reference(rows_, x, y, dots_expected, accumulate);
      EXPECT_TRUE(test::near(sum, sum_expected, tolerance));
      EXPECT_TRUE(test::near(plain_sum, plain_expected, tolerance));
      EXPECT_TRUE(test::near(spread, spread_expected, tolerance));
      EXPECT_TRUE(test::near(dots, dots_expected, tolerance));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Cols, ScatterTest, testing::Values(1, 3, 16, 67));

TEST(ScatterEmptyTest, NoEntriesGiveZeros) {
  std::vector<float> out(6, 5.0F);
  sum_entries(entries_by_row({}, 2), {nullptr, 0, 3}, {}, {out.data(), 2, 3}, false);
  EXPECT_TRUE(test::identical(out, std::vector<float>(6, 0.0F)));
}

}  // namespace scatter_test
}  // namespace witan::kernels
