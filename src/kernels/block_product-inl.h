// Products of matrices small enough for the first cache, with a tile of the result in registers: the inner loop of
// attention, where one factor has just been computed. Not for large matrices (see gemm.h): nothing is packed or
// blocked. Included once per instruction set, after hwy/highway.h.
#if defined(WITAN_KERNELS_BLOCK_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef WITAN_KERNELS_BLOCK_PRODUCT_INL_H_
#undef WITAN_KERNELS_BLOCK_PRODUCT_INL_H_
#else
#define WITAN_KERNELS_BLOCK_PRODUCT_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

inline std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(F32())); }
inline std::int64_t round_up_to_lanes(std::int64_t count) { return (count + lanes() - 1) / lanes() * lanes(); }

// Result tiles of kTileRows x kTileVectors vectors: 6 x 4 fills the 32 registers of AVX-512 (24 sums, 4 columns, 1
// broadcast), 6 x 2 the 16 of AVX2 and SSE4; both leave the loads below what two multiply-add ports consume.
constexpr std::int64_t kTileRows = 6;
#if HWY_TARGET == HWY_AVX3
constexpr std::int64_t kTileVectors = 4;
#else
constexpr std::int64_t kTileVectors = 2;
#endif

// Element (row, step) of the left factor is data[row * row_stride + step * step_stride]: it may be transposed.
struct LeftFactor {
  const float* data;
  std::int64_t row_stride;
  std::int64_t step_stride;
};

// The part of a row tile that is not known to be zero: only these columns are written, only these steps are summed.
struct TileRange {
  std::int64_t columns;
  std::int64_t step_begin;
  std::int64_t step_end;
};

template <int kRows, int kVectors, bool kAccumulate>
HWY_INLINE void product_tile(const float* HWY_RESTRICT a, std::int64_t row_stride, std::int64_t step_stride,
                             const float* HWY_RESTRICT b, std::int64_t b_stride, std::int64_t steps,
                             float* HWY_RESTRICT c, std::int64_t c_stride) {
  const F32 d;
  const std::int64_t n = lanes();
  hn::Vec<F32> sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = kAccumulate ? hn::LoadU(d, c + r * c_stride + v * n) : hn::Zero(d);
    }
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    hn::Vec<F32> columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) columns[v] = hn::LoadU(d, b + v * n);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto factor = hn::Set(d, a[r * row_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, columns[v], sums[r][v]);
    }
    a += step_stride;
    b += b_stride;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * n);
  }
}

template <int kRows, bool kAccumulate>
HWY_INLINE void product_row_tile(const LeftFactor& a, const float* b, std::int64_t b_stride, float* c,
                                 std::int64_t c_stride, TileRange range) {
  const std::int64_t n = lanes();
  const float* a_data = a.data + range.step_begin * a.step_stride;
  b += range.step_begin * b_stride;
  const std::int64_t steps = range.step_end - range.step_begin;
  const auto tile = [&]<int kVectors>(std::int64_t column) HWY_ATTR {
    product_tile<kRows, kVectors, kAccumulate>(a_data, a.row_stride, a.step_stride, b + column, b_stride, steps,
                                               c + column, c_stride);
  };
  std::int64_t column = 0;
  for (; column + kTileVectors * n <= range.columns; column += kTileVectors * n) {
    tile.template operator()<kTileVectors>(column);
  }
  const std::int64_t rest = (range.columns - column + n - 1) / n;
  if constexpr (kTileVectors > 3) {
    if (rest == 4) return tile.template operator()<4>(column);
    if (rest == 3) return tile.template operator()<3>(column);
  }
  if (rest == 2) return tile.template operator()<2>(column);
  if (rest == 1) return tile.template operator()<1>(column);
}

// c [rows, columns] = a b, or += with kAccumulate. Columns are rounded up to whole vectors: b and c have room for that.
// range_of(first_row, last_row) -> TileRange says what is needed of a row tile.
template <bool kAccumulate, class RangeOf>
HWY_INLINE void block_product(const LeftFactor& a, const float* b, std::int64_t b_stride, float* c,
                              std::int64_t c_stride, std::int64_t rows, const RangeOf& range_of) {
  for (std::int64_t row = 0; row < rows; row += kTileRows) {
    const std::int64_t height = std::min(kTileRows, rows - row);
    const TileRange range = range_of(row, row + height - 1);
    const LeftFactor part{a.data + row * a.row_stride, a.row_stride, a.step_stride};
    float* out = c + row * c_stride;
    switch (height) {
      case 1:
        product_row_tile<1, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
      case 2:
        product_row_tile<2, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
      case 3:
        product_row_tile<3, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
      case 4:
        product_row_tile<4, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
      case 5:
        product_row_tile<5, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
      default:
        product_row_tile<6, kAccumulate>(part, b, b_stride, out, c_stride, range);
        break;
    }
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
