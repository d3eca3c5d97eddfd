// Bias rows from their definitions, in double. For tests, not for speed.
#include "kernels/bias.h"

namespace witan::kernels {

void add_row_reference(std::span<const float> bias, Matrix y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t c = 0; c < y.cols; ++c) {
      y(r, c) =
          static_cast<float>(static_cast<double>(y(r, c)) + static_cast<double>(bias[static_cast<std::size_t>(c)]));
    }
  }
}

void sum_rows_reference(ConstMatrix x, std::span<float> out, bool accumulate) {
  for (std::int64_t c = 0; c < x.cols; ++c) {
    float& sink = out[static_cast<std::size_t>(c)];
    double sum = accumulate ? static_cast<double>(sink) : 0.0;
    for (std::int64_t r = 0; r < x.rows; ++r) sum += static_cast<double>(x(r, c));
    sink = static_cast<float>(sum);
  }
}

}  // namespace witan::kernels
