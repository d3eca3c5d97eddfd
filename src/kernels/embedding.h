// Rows of a table by id, and the scattered addition back. Ids are in range: the caller has checked.
#pragma once

#include <cstdint>
#include <span>

#include "base/bfloat16.h"
#include "base/float16.h"
#include "base/views.h"

namespace witan::kernels {

// table [V, D], ids [T] -> y [T, D].
void gather_rows(ConstMatrix table, std::span<const std::int32_t> ids, Matrix y);
void gather_rows(MatrixView<const BFloat16> table, std::span<const std::int32_t> ids, Matrix y);
void gather_rows(MatrixView<const Float16> table, std::span<const std::int32_t> ids, Matrix y);

// dtable[ids[t]] += dy[t] for ascending t, whatever the number of threads: the same bits always.
// Without `accumulate` the rest of dtable [V, D] becomes 0.
void scatter_add_rows(ConstMatrix dy, std::span<const std::int32_t> ids, Matrix dtable, bool accumulate);

// The same results from plain loops, for tests.
void gather_rows_reference(ConstMatrix table, std::span<const std::int32_t> ids, Matrix y);
void scatter_add_rows_reference(ConstMatrix dy, std::span<const std::int32_t> ids, Matrix dtable, bool accumulate);

}  // namespace witan::kernels
