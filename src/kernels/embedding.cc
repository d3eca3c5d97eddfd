// Gather is cut by rows. Scatter is cut by columns, so that no two threads meet in an element and every sum has one
// order.
#include "kernels/embedding.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/grain.h"

namespace witan::kernels {
namespace {

constexpr std::int64_t kColumnsOfALine = 16;  // floats of a cache line: threads share none

template <class T>
void gather(MatrixView<const T> table, std::span<const std::int32_t> ids, Matrix y) {
  WITAN_ASSERT(y.rows == static_cast<std::int64_t>(ids.size()) && y.cols == table.cols);
  parallel_for(y.rows, row_grain(y.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const T* const from = table.row(ids[static_cast<std::size_t>(t)]);
      std::transform(from, from + y.cols, y.row(t), [](T value) { return to_float(value); });
    }
  });
}

}  // namespace

void gather_rows(ConstMatrix table, std::span<const std::int32_t> ids, Matrix y) { gather(table, ids, y); }
void gather_rows(MatrixView<const BFloat16> table, std::span<const std::int32_t> ids, Matrix y) {
  gather(table, ids, y);
}
void gather_rows(MatrixView<const Float16> table, std::span<const std::int32_t> ids, Matrix y) {
  gather(table, ids, y);
}

void scatter_add_rows(ConstMatrix dy, std::span<const std::int32_t> ids, Matrix dtable, bool accumulate) {
  WITAN_ASSERT(dy.rows == static_cast<std::int64_t>(ids.size()) && dy.cols == dtable.cols);
  if (!accumulate) {
    parallel_for(dtable.rows, row_grain(dtable.cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) std::fill_n(dtable.row(r), dtable.cols, 0.0F);
    });
  }
  const std::int64_t blocks = (dtable.cols + kColumnsOfALine - 1) / kColumnsOfALine;
  const std::int64_t block_grain = row_grain(kColumnsOfALine * dy.rows);
  parallel_for(blocks, block_grain, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t begin = first * kColumnsOfALine;
    const std::int64_t end = std::min(dtable.cols, last * kColumnsOfALine);
    for (std::int64_t t = 0; t < dy.rows; ++t) {
      const float* from = dy.row(t);
      float* to = dtable.row(ids[static_cast<std::size_t>(t)]);
      for (std::int64_t c = begin; c < end; ++c) to[c] += from[c];
    }
  });
}

}  // namespace witan::kernels
