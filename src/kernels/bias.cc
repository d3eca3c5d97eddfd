// Bias rows: plain loops, which the compiler vectorises across columns and memory bounds.
#include "kernels/bias.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::kernels {

void add_row(std::span<const float> bias, Matrix y) {
  WITAN_ASSERT(static_cast<std::int64_t>(bias.size()) == y.cols);
  parallel_for(y.rows, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* row = y.row(r);
      for (std::int64_t c = 0; c < y.cols; ++c) row[c] += bias[static_cast<std::size_t>(c)];
    }
  });
}

void sum_rows(ConstMatrix x, std::span<float> out, bool accumulate) {
  WITAN_ASSERT(static_cast<std::int64_t>(out.size()) == x.cols);
  // By columns: each sum has one owner, so the order of its terms does not depend on the threads.
  parallel_for(x.cols, 64, [&](std::int64_t begin, std::int64_t end) {
    float* sums = out.data();
    if (!accumulate) std::fill(sums + begin, sums + end, 0.0F);
    for (std::int64_t r = 0; r < x.rows; ++r) {
      const float* row = x.row(r);
      for (std::int64_t c = begin; c < end; ++c) sums[c] += row[c];
    }
  });
}

}  // namespace witan::kernels
