// What the blocks of attention forward and backward share: sizes, packing, and which scores of a block are seen.
// Included once per instruction set, after hwy/highway.h.
#if defined(WITAN_KERNELS_ATTENTION_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef WITAN_KERNELS_ATTENTION_BLOCK_INL_H_
#undef WITAN_KERNELS_ATTENTION_BLOCK_INL_H_
#else
#define WITAN_KERNELS_ATTENTION_BLOCK_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/attention_block.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Four rows of four, transposed in registers.
HWY_INLINE void transpose_4x4(const float* in, std::int64_t in_stride, float* out, std::int64_t out_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) out[c * out_stride + r] = in[r * in_stride + c];
  }
#else
  const hn::CappedTag<float, 4> d;
  const auto a = hn::LoadU(d, in);
  const auto b = hn::LoadU(d, in + in_stride);
  const auto c = hn::LoadU(d, in + 2 * in_stride);
  const auto e = hn::LoadU(d, in + 3 * in_stride);
  const auto ac = hn::InterleaveLower(d, a, c);
  const auto be = hn::InterleaveLower(d, b, e);
  const auto ac_upper = hn::InterleaveUpper(d, a, c);
  const auto be_upper = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac, be), d, out);
  hn::StoreU(hn::InterleaveUpper(d, ac, be), d, out + out_stride);
  hn::StoreU(hn::InterleaveLower(d, ac_upper, be_upper), d, out + 2 * out_stride);
  hn::StoreU(hn::InterleaveUpper(d, ac_upper, be_upper), d, out + 3 * out_stride);
#endif
}

// in [rows, cols], rows <= kKeyBlock -> out [cols, kKeyBlock], zero right of `rows`.
inline void pack_transposed(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t cols, float* out) {
  if (rows < kKeyBlock) std::fill_n(out, cols * kKeyBlock, 0.0F);
  const std::int64_t whole_rows = rows / 4 * 4;
  const std::int64_t whole_cols = cols / 4 * 4;
  for (std::int64_t r = 0; r < whole_rows; r += 4) {
    for (std::int64_t c = 0; c < whole_cols; c += 4) {
      transpose_4x4(in + r * in_stride + c, in_stride, out + c * kKeyBlock + r, kKeyBlock);
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = r < whole_rows ? whole_cols : 0; c < cols; ++c)
      out[c * kKeyBlock + r] = in[r * in_stride + c];
  }
}

// out = factor * in, or += with kAccumulate.
template <bool kAccumulate>
HWY_INLINE void scale_row(const float* HWY_RESTRICT in, std::int64_t count, float factor, float* HWY_RESTRICT out) {
  const hn::ScalableTag<float> d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto factors = hn::Set(d, factor);
  std::int64_t i = 0;
  for (; i + n <= count; i += n) {
    const auto x = hn::LoadU(d, in + i);
    hn::StoreU(kAccumulate ? hn::MulAdd(factors, x, hn::LoadU(d, out + i)) : hn::Mul(factors, x), d, out + i);
  }
  for (; i < count; ++i) out[i] = kAccumulate ? out[i] + factor * in[i] : factor * in[i];
}

HWY_INLINE float dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + n <= count; i += n) sums = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sums);
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// in [rows, cols] -> out [rows, padded_width(cols)], every element times `factor`, zero right of `cols`.
inline void pack_rows(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t cols, float factor,
                      float* out) {
  const std::int64_t width = padded_width(cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    scale_row<false>(in + r * in_stride, cols, factor, out + r * width);
    for (std::int64_t c = cols; c < width; ++c) out[r * width + c] = 0.0F;
  }
}

// The way back: in [rows, padded_width(cols)] -> out [rows, cols].
inline void unpack_rows(const float* in, std::int64_t rows, std::int64_t cols, float factor, float* out,
                        std::int64_t out_stride, bool accumulate) {
  const std::int64_t width = padded_width(cols);
  constexpr std::int64_t kAhead = 12;
  for (std::int64_t r = 0; r < rows; ++r) {
    // Rows of a head lie far apart: stores would wait for each line in turn.
    const float* ahead = out + std::min(r + kAhead, rows - 1) * out_stride;
    for (std::int64_t c = 0; c < cols; c += kPadding) __builtin_prefetch(ahead + c, 1);
    if (accumulate) {
      scale_row<true>(in + r * width, cols, factor, out + r * out_stride);
    } else {
      scale_row<false>(in + r * width, cols, factor, out + r * out_stride);
    }
  }
}

// A block of scores: `rows` queries x `keys` keys, of which query r sees the first r + shift + 1, or with a window the
// last `window` of those.
struct ScoreBlock {
  std::int64_t rows;
  std::int64_t keys;
  std::int64_t shift;
  std::int64_t window;  // 0: none

  std::int64_t visible(std::int64_t row) const { return std::clamp<std::int64_t>(row + shift + 1, 0, keys); }
  // How many keys from the block's first on lie before the query's window.
  std::int64_t hidden(std::int64_t row) const {
    return window == 0 ? 0 : std::clamp<std::int64_t>(row + shift + 1 - window, 0, keys);
  }
  // The first query that this key is not too late for.
  std::int64_t first_row(std::int64_t key) const { return std::clamp<std::int64_t>(key - shift, 0, rows); }
};

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
