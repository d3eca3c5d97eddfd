// Columns of a matrix picked, reordered and padded: the heads of a fused projection, and one width for all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/tape.h"

namespace witan::ops {

// For each column of the result the column of x that it copies; kNoColumn: zeros. One column may be copied many times.
using ColumnMap = std::vector<std::int32_t>;
constexpr std::int32_t kNoColumn = -1;

// x [T, N] -> [T, map.size()]. Throws Error for a column outside of x.
Tensor select_columns(Tape& tape, const Tensor& x, const std::shared_ptr<const ColumnMap>& map);

}  // namespace witan::ops
