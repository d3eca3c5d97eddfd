// Plain loops that the column kernels are tested against.
#include <algorithm>
#include <cmath>

#include "kernels/columns.h"

namespace witan::kernels {

void linear_combination_reference(std::span<const double* const> columns, const double* coefficients, std::int64_t rows,
                                  double* out) {
  for (std::int64_t r = 0; r < rows; ++r) {
    out[r] = 0.0;
    for (std::size_t j = 0; j < columns.size(); ++j) out[r] += coefficients[j] * columns[j][r];
  }
}

void weighted_products_reference(std::span<const double* const> left, const double* weights,
                                 std::span<const double* const> right, std::int64_t rows, double* sums) {
  for (std::size_t i = 0; i < left.size(); ++i) {
    for (std::size_t j = 0; j < right.size(); ++j) {
      for (std::int64_t r = 0; r < rows; ++r) sums[i * right.size() + j] += weights[r] * left[i][r] * right[j][r];
    }
  }
}

void column_softmax_reference(std::span<double* const> columns, std::int64_t rows, double* log_sums) {
  for (std::int64_t r = 0; r < rows; ++r) {
    double top = columns[0][r];
    for (const double* column : columns) top = std::max(top, column[r]);
    double total = 0.0;
    for (const double* column : columns) total += std::exp(column[r] - top);
    for (double* column : columns) column[r] = std::exp(column[r] - top) / total;
    log_sums[r] = top + std::log(total);
  }
}

}  // namespace witan::kernels
