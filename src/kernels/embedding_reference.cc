// Rows by id and the scattered addition from their definitions: each element alone, its sum in double. For tests, not
// for speed.
#include "kernels/embedding.h"

namespace witan::kernels {

void gather_rows_reference(ConstMatrix table, std::span<const std::int32_t> ids, Matrix y) {
  for (std::int64_t t = 0; t < y.rows; ++t) {
    for (std::int64_t c = 0; c < y.cols; ++c) y(t, c) = table(ids[static_cast<std::size_t>(t)], c);
  }
}

void scatter_add_rows_reference(ConstMatrix dy, std::span<const std::int32_t> ids, Matrix dtable, bool accumulate) {
  for (std::int64_t v = 0; v < dtable.rows; ++v) {
    for (std::int64_t c = 0; c < dtable.cols; ++c) {
      double sum = accumulate ? static_cast<double>(dtable(v, c)) : 0.0;
      for (std::int64_t t = 0; t < dy.rows; ++t) {
        if (ids[static_cast<std::size_t>(t)] == v) sum += static_cast<double>(dy(t, c));
      }
      dtable(v, c) = static_cast<float>(sum);
    }
  }
}

}  // namespace witan::kernels
