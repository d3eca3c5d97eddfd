// Rotary embedding of rows with Highway. Bound by memory: every element is read and written once.
#include "kernels/rope.h"

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Tag d is a whole vector, or a single lane for the end of a head.
template <bool kAccumulate, class D>
HWY_INLINE void rotate(D d, const float* x, std::int64_t half, const float* cosines, const float* sines, float sign,
                       float* y) {
  const auto a = hn::LoadU(d, x);
  const auto b = hn::LoadU(d, x + half);
  const auto cosine = hn::LoadU(d, cosines);
  const auto sine = hn::Mul(hn::Set(d, sign), hn::LoadU(d, sines));
  auto first = hn::NegMulAdd(b, sine, hn::Mul(a, cosine));
  auto second = hn::MulAdd(a, sine, hn::Mul(b, cosine));
  if constexpr (kAccumulate) {
    first = hn::Add(first, hn::LoadU(d, y));
    second = hn::Add(second, hn::LoadU(d, y + half));
  }
  hn::StoreU(first, d, y);
  hn::StoreU(second, d, y + half);
}

template <bool kAccumulate>
HWY_INLINE void rotate_row(const float* x, std::int64_t cols, std::int64_t half, const float* cosines,
                           const float* sines, float sign, float* y) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t at = 0; at < cols; at += 2 * half) {
    std::int64_t i = 0;
    for (; i + n <= half; i += n) rotate<kAccumulate>(d, x + at + i, half, cosines + i, sines + i, sign, y + at + i);
    for (; i < half; ++i) rotate<kAccumulate>(one, x + at + i, half, cosines + i, sines + i, sign, y + at + i);
  }
}

void RopeRow(const float* x, std::int64_t cols, std::int64_t half, const float* cosines, const float* sines, float sign,
             float* y, bool accumulate) {
  if (accumulate) {
    rotate_row<true>(x, cols, half, cosines, sines, sign, y);
  } else {
    rotate_row<false>(x, cols, half, cosines, sines, sign, y);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(RopeRow);

void rope(ConstMatrix x, std::int64_t head_dim, const float* cosines, const float* sines, const std::int32_t* positions,
          bool inverse, Matrix y, bool accumulate) {
  WITAN_ASSERT(head_dim > 0 && head_dim % 2 == 0 && x.cols % head_dim == 0 && y.rows == x.rows && y.cols == x.cols);
  const std::int64_t half = head_dim / 2;
  const auto turn = WITAN_DISPATCH(RopeRow);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      turn(x.row(r), x.cols, half, cosines + positions[r] * half, sines + positions[r] * half, inverse ? -1.0F : 1.0F,
           y.row(r), accumulate);
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
#endif
