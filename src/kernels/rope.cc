// Rotary embedding of rows. Bound by memory: every element is read and written once.
#include "kernels/rope.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::kernels {
namespace {

constexpr std::int64_t kGrainElements = 1 << 14;

template <bool kAccumulate>
void rotate_head(const float* x, std::int64_t half, const float* cosines, const float* sines, float sign, float* y) {
  for (std::int64_t i = 0; i < half; ++i) {
    const float sine = sign * sines[i];
    const float a = x[i];
    const float b = x[i + half];
    const float first = a * cosines[i] - b * sine;
    const float second = b * cosines[i] + a * sine;
    y[i] = kAccumulate ? y[i] + first : first;
    y[i + half] = kAccumulate ? y[i + half] + second : second;
  }
}

}  // namespace

void rope(ConstMatrix x, std::int64_t head_dim, const float* cosines, const float* sines, const std::int32_t* positions,
          bool inverse, Matrix y, bool accumulate) {
  WITAN_ASSERT(head_dim > 0 && head_dim % 2 == 0 && x.cols % head_dim == 0 && y.rows == x.rows && y.cols == x.cols);
  const std::int64_t half = head_dim / 2;
  const float sign = inverse ? -1.0F : 1.0F;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(x.cols, 1));
  parallel_for(x.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* row_cosines = cosines + positions[r] * half;
      const float* row_sines = sines + positions[r] * half;
      for (std::int64_t at = 0; at < x.cols; at += head_dim) {
        if (accumulate) {
          rotate_head<true>(x.row(r) + at, half, row_cosines, row_sines, sign, y.row(r) + at);
        } else {
          rotate_head<false>(x.row(r) + at, half, row_cosines, row_sines, sign, y.row(r) + at);
        }
      }
    }
  });
}

void rope_reference(ConstMatrix x, std::int64_t head_dim, const float* cosines, const float* sines,
                    const std::int32_t* positions, bool inverse, Matrix y) {
  const std::int64_t half = head_dim / 2;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.cols; ++c) {
      const std::int64_t i = c % head_dim;
      const std::int64_t angle = positions[r] * half + i % half;
      const double cosine = cosines[angle];
      const double sine = (inverse ? -1.0 : 1.0) * sines[angle];
      const double turned =
          i < half ? x(r, c) * cosine - x(r, c + half) * sine : x(r, c) * cosine + x(r, c - half) * sine;
      y(r, c) = static_cast<float>(turned);
    }
  }
}

}  // namespace witan::kernels
