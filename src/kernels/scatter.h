// Rows that several experts served, brought back together: weighted sums over the entries of each row, and the way
// back. Sums run in the order of the entries, so the same bits whatever the number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"
#include "base/views.h"

namespace witan::kernels {

// The inverse of an assignment's row_indices: entries of row t stand, ascending, at
// entries[offsets[t]] .. entries[offsets[t + 1] - 1].
struct RowEntries {
  PooledVector<std::int32_t> offsets;  // [T + 1]
  PooledVector<std::int32_t> entries;  // [num_assigned]
};
RowEntries entries_by_row(std::span<const std::int32_t> row_indices, std::int64_t num_rows);

// out[t] = sum over the entries a of row t of weights[a] x[a]; x [num_assigned, D], out [T, D]. Empty weights are all
// 1. A row without entries becomes 0. `accumulate` adds to out.
void sum_entries(const RowEntries& rows, ConstMatrix x, std::span<const float> weights, Matrix out, bool accumulate);

// out[a] = weights[a] x[row_indices[a]]: out [num_assigned, D], x [T, D].
void spread_rows(std::span<const std::int32_t> row_indices, ConstMatrix x, std::span<const float> weights, Matrix out,
                 bool accumulate);

// out[a] = <x[a], y[row_indices[a]]>: x [num_assigned, D], y [T, D].
void dot_rows(std::span<const std::int32_t> row_indices, ConstMatrix x, ConstMatrix y, std::span<float> out,
              bool accumulate);

// The same results from plain loops in double, for tests.
void sum_entries_reference(const RowEntries& rows, ConstMatrix x, std::span<const float> weights, Matrix out,
                           bool accumulate);
void spread_rows_reference(std::span<const std::int32_t> row_indices, ConstMatrix x, std::span<const float> weights,
                           Matrix out, bool accumulate);
void dot_rows_reference(std::span<const std::int32_t> row_indices, ConstMatrix x, ConstMatrix y, std::span<float> out,
                        bool accumulate);

}  // namespace witan::kernels
