// Copies of columns, which need no kernel of their own: bound by memory, row by row.
#include "autograd/ops/columns.h"

#include "base/error.h"
#include "base/parallel.h"

namespace witan::ops {
namespace {

constexpr std::int64_t kCopyGrain = 16;  // rows

}  // namespace

Tensor select_columns(Tape& tape, const Tensor& x, const std::shared_ptr<const ColumnMap>& map) {
  for (const std::int32_t column : *map) {
    if (column < kNoColumn || column >= x.cols()) {
      fail("select_columns: column {} of x={} does not exist", column, x.shape().to_string());
    }
  }
  const auto width = static_cast<std::int64_t>(map->size());
  Tensor y = tape.output({x.rows(), width}, {&x});
  const ConstMatrix from = x.matrix();
  const Matrix to = y.matrix();
  parallel_for(x.rows(), kCopyGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* in = from.row(row);
      float* out = to.row(row);
      for (const std::int32_t column : *map) *out++ = column == kNoColumn ? 0.0F : in[column];
    }
  });
  // The gradient has the shape of the tensor that x may be another shape of.
  tape.record(y, [dy = y.grad(), dx = x.grad(), map, cols = x.cols()] {
    const std::span<float> sum = dx.accumulator();
    const ConstMatrix given = dy.matrix();
    parallel_for(given.rows, kCopyGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* in = given.row(row);
        float* out = sum.data() + row * cols;
        for (const std::int32_t column : *map) {
          if (column != kNoColumn) out[column] += *in;
          ++in;
        }
      }
    });
  });
  return y;
}

}  // namespace witan::ops
