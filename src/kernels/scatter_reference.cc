// Weighted sums of scattered rows from their definitions, in double. For tests, not for speed.
#include "kernels/scatter.h"

namespace witan::kernels {

void sum_entries_reference(const RowEntries& rows, ConstMatrix x, std::span<const float> weights, Matrix out,
                           bool accumulate) {
  for (std::int64_t t = 0; t < out.rows; ++t) {
    const auto at = static_cast<std::size_t>(t);
    for (std::int64_t c = 0; c < out.cols; ++c) {
      double sum = accumulate ? static_cast<double>(out(t, c)) : 0.0;
      for (std::int32_t i = rows.offsets[at]; i < rows.offsets[at + 1]; ++i) {
        const std::int32_t a = rows.entries[static_cast<std::size_t>(i)];
        const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<std::size_t>(a)]);
        sum += weight * static_cast<double>(x(a, c));
      }
      out(t, c) = static_cast<float>(sum);
    }
  }
}

void spread_rows_reference(std::span<const std::int32_t> row_indices, ConstMatrix x, std::span<const float> weights,
                           Matrix out, bool accumulate) {
  for (std::int64_t a = 0; a < out.rows; ++a) {
    const auto at = static_cast<std::size_t>(a);
    for (std::int64_t c = 0; c < out.cols; ++c) {
      const double value = static_cast<double>(weights[at]) * static_cast<double>(x(row_indices[at], c));
      out(a, c) = static_cast<float>(value + (accumulate ? static_cast<double>(out(a, c)) : 0.0));
    }
  }
}

void dot_rows_reference(std::span<const std::int32_t> row_indices, ConstMatrix x, ConstMatrix y, std::span<float> out,
                        bool accumulate) {
  for (std::int64_t a = 0; a < x.rows; ++a) {
    const auto at = static_cast<std::size_t>(a);
    double dot = accumulate ? static_cast<double>(out[at]) : 0.0;
    for (std::int64_t c = 0; c < x.cols; ++c) {
      dot += static_cast<double>(x(a, c)) * static_cast<double>(y(row_indices[at], c));
    }
    out[at] = static_cast<float>(dot);
  }
}

}  // namespace witan::kernels
