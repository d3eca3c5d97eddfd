// Gather and scattered addition.
#include "kernels/embedding.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "support/compare.h"

namespace witan::kernels {
namespace embedding_test {

struct Case {
  std::int64_t rows, vocabulary, cols;
};

TEST(EmbeddingKernelTest, ScatterAddsInTheOrderOfTheRows) {
  for (const auto& [rows, vocabulary, cols] : {Case{0, 3, 5}, Case{7, 3, 1}, Case{100, 5, 33}, Case{513, 40, 100}}) {
    Random random(6);
    const std::int64_t stride = cols + 3;
    std::vector<float> storage(static_cast<std::size_t>(rows * stride + 1));
    random.fill_normal(storage, 0.0F, 1.0F);
    const ConstMatrix dy(storage.data() + 1, rows, cols, stride);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    for (const bool accumulate : {false, true}) {
      std::vector<float> expected(static_cast<std::size_t>(vocabulary * cols), accumulate ? 2.0F : 0.0F);
      std::vector<float> table(expected.size(), 2.0F);
      for (std::int64_t t = 0; t < rows; ++t) {
        for (std::int64_t c = 0; c < cols; ++c) {
          expected[static_cast<std::size_t>(ids[static_cast<std::size_t>(t)] * cols + c)] += dy(t, c);
        }
      }
      scatter_add_rows(dy, ids, {table.data(), vocabulary, cols}, accumulate);
      EXPECT_TRUE(test::identical(table, expected)) << rows << "x" << cols;
    }
  }
}

TEST(EmbeddingKernelTest, MatchesTheReferencesAtOddSizes) {
  for (const auto& [rows, vocabulary, cols] : {Case{0, 3, 5}, Case{7, 3, 1}, Case{100, 5, 33}, Case{257, 40, 101}}) {
    Random random(8);
    const std::int64_t stride = cols + 3;
    std::vector<float> storage(static_cast<std::size_t>((rows + vocabulary) * stride + 1));
    random.fill_normal(storage, 0.0F, 1.0F);
    const ConstMatrix dy(storage.data() + 1, rows, cols, stride);
    const ConstMatrix table(storage.data() + 1, vocabulary, cols, stride);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    std::vector<float> y(static_cast<std::size_t>(rows * cols), -1.0F);
    std::vector<float> y_expected = y;
    gather_rows(table, ids, {y.data(), rows, cols});
    gather_rows_reference(table, ids, {y_expected.data(), rows, cols});
    EXPECT_TRUE(test::identical(y, y_expected)) << rows << "x" << cols;
    for (const bool accumulate : {false, true}) {
      std::vector<float> sums(static_cast<std::size_t>(vocabulary * cols), 2.0F);
      std::vector<float> sums_expected = sums;
      scatter_add_rows(dy, ids, {sums.data(), vocabulary, cols}, accumulate);
      scatter_add_rows_reference(dy, ids, {sums_expected.data(), vocabulary, cols}, accumulate);
      EXPECT_TRUE(test::near(sums, sums_expected, test::accumulation_tolerance(rows, 16.0F))) << rows << "x" << cols;
    }
  }
}

TEST(EmbeddingKernelTest, GatherCopiesRows) {
  const std::vector<float> table = {0, 1, 2, 10, 11, 12, 20, 21, 22};
  const std::vector<std::int32_t> ids = {2, 0, 2};
  std::vector<float> y(9);
  gather_rows({table.data(), 3, 3}, ids, {y.data(), 3, 3});
  EXPECT_EQ(y, (std::vector<float>{20, 21, 22, 0, 1, 2, 20, 21, 22}));
}

}  // namespace embedding_test
}  // namespace witan::kernels
