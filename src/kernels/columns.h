// Blocks of a table held by columns, in double: linear predictors, weighted products of columns, and the softmax across
// columns. One thread; the caller cuts rows into blocks that stay in the first cache (512 rows or so).
#pragma once

#include <cstdint>
#include <span>

namespace witan::kernels {

// out [rows] = sum_j coefficients[j] * columns[j], in ascending j.
void linear_combination(std::span<const double* const> columns, const double* coefficients, std::int64_t rows,
                        double* out);

// sums [left, right] (row-major) += sum over rows of weights * left_i * right_j. The order of the sum depends on the
// instruction set and the number of rows alone.
void weighted_products(std::span<const double* const> left, const double* weights, std::span<const double* const> right,
                       std::int64_t rows, double* sums);
// The upper triangle, diagonal included, of weighted_products of the columns with themselves; the rest is left alone.
void weighted_gram(std::span<const double* const> columns, const double* weights, std::int64_t rows, double* sums);

// Each row of `columns` becomes its softmax; log_sums [rows] takes the logarithm of what it was divided by. Finite
// values only, of any size; exact to a few units in the last place.
void column_softmax(std::span<double* const> columns, std::int64_t rows, double* log_sums);

// The same from plain loops.
void linear_combination_reference(std::span<const double* const> columns, const double* coefficients, std::int64_t rows,
                                  double* out);
void weighted_products_reference(std::span<const double* const> left, const double* weights,
                                 std::span<const double* const> right, std::int64_t rows, double* sums);
void column_softmax_reference(std::span<double* const> columns, std::int64_t rows, double* log_sums);

}  // namespace witan::kernels
