// Column kernels against plain loops under every instruction set, at odd sizes and at the edges of double.
#include "kernels/columns.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "support/isa.h"

namespace witan::kernels {
namespace columns_test {

// Columns at odd addresses.
struct Table {
  Table(std::size_t count, std::int64_t rows, std::uint64_t seed, double scale) {
    Random random(seed);
    for (std::size_t j = 0; j < count; ++j) {
      storage.emplace_back(static_cast<std::size_t>(rows) + 1);
      for (double& value : storage.back()) value = scale * (random.uniform_open() - 0.5);
    }
    for (auto& column : storage) {
      writable.push_back(column.data() + 1);
      readable.push_back(column.data() + 1);
    }
  }
  std::vector<std::vector<double>> storage;
  std::vector<double*> writable;
  std::vector<const double*> readable;
};

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

TEST(ColumnsKernelTest, LinearCombinationMatchesReference) {
  for (const std::size_t count : {0, 1, 4, 11}) {
    for (const std::int64_t rows : {0, 1, 7, 16, 131}) {
      const Table table(count, rows, 1, 4.0);
      std::vector<double> coefficients;
      for (std::size_t j = 0; j < count; ++j) coefficients.push_back(0.3 * static_cast<double>(j) - 1.0);
      std::vector<double> expected(static_cast<std::size_t>(rows));
      linear_combination_reference(table.readable, coefficients.data(), rows, expected.data());
      test::for_each_isa([&] {
        std::vector<double> actual(expected.size(), 9.0);
        linear_combination(table.readable, coefficients.data(), rows, actual.data());
        expect_near(actual, expected, 1e-13);
      });
    }
  }
}

TEST(ColumnsKernelTest, WeightedProductsAddWhatTheReferenceAdds) {
  for (const std::size_t count : {1, 3, 4, 5, 11}) {
    for (const std::int64_t rows : {0, 1, 7, 16, 131}) {
      const Table left(count, rows, 2, 2.0);
      const Table right(count + 2, rows, 3, 2.0);
      const Table weights(1, rows, 4, 2.0);
      std::vector<double> expected(count * (count + 2), 0.5);
      weighted_products_reference(left.readable, weights.readable[0], right.readable, rows, expected.data());
      std::vector<double> gram(count * count, 0.5);
      weighted_products_reference(left.readable, weights.readable[0], left.readable, rows, gram.data());
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < i; ++j) gram[i * count + j] = 0.5;  // below the diagonal nothing is added
      }
      test::for_each_isa([&] {
        std::vector<double> actual(expected.size(), 0.5);
        weighted_products(left.readable, weights.readable[0], right.readable, rows, actual.data());
        expect_near(actual, expected, 1e-13);
        std::vector<double> triangle(count * count, 0.5);
        weighted_gram(left.readable, weights.readable[0], rows, triangle.data());
        expect_near(triangle, gram, 1e-13);
      });
    }
  }
}

TEST(ColumnsKernelTest, SoftmaxMatchesReferenceFromTinyToHuge) {
  for (const double scale : {1e-12, 3.0, 1e3, 1e200}) {
    for (const std::size_t count : {1, 2, 5}) {
      for (const std::int64_t rows : {1, 7, 16, 131}) {
        Table expected(count, rows, 5, scale);
        std::vector<double> expected_sums(static_cast<std::size_t>(rows));
        column_softmax_reference(expected.writable, rows, expected_sums.data());
        test::for_each_isa([&] {
          Table actual(count, rows, 5, scale);
          std::vector<double> sums(expected_sums.size());
          column_softmax(actual.writable, rows, sums.data());
          for (std::size_t k = 0; k < count; ++k) expect_near(actual.storage[k], expected.storage[k], 4e-15);
          for (std::size_t r = 0; r < sums.size(); ++r) {
            EXPECT_NEAR(sums[r], expected_sums[r], 1e-15 * (4.0 + std::fabs(expected_sums[r])));
          }
        });
      }
    }
  }
}

}  // namespace columns_test
}  // namespace witan::kernels
