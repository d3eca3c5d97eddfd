// The row that every row of a product gets added, and its gradient.
#pragma once

#include <span>

#include "base/views.h"

namespace witan::kernels {

// y[r] += bias for every row r.
void add_row(std::span<const float> bias, Matrix y);

// out[c] = sum over rows of x[r][c], in the order of the rows; 0 when there are none. `accumulate` adds to out.
void sum_rows(ConstMatrix x, std::span<float> out, bool accumulate);

// The same results from plain loops in double, for tests.
void add_row_reference(std::span<const float> bias, Matrix y);
void sum_rows_reference(ConstMatrix x, std::span<float> out, bool accumulate);

}  // namespace witan::kernels
