// Packing and the register tile, per instruction set. Included once per target, after hwy/highway.h.
#if defined(WITAN_KERNELS_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef WITAN_KERNELS_PRODUCT_INL_H_
#undef WITAN_KERNELS_PRODUCT_INL_H_
#else
#define WITAN_KERNELS_PRODUCT_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/bfloat16.h"
#include "base/float16.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A tile of kTileRows x kTileVectors vectors of sums stays in registers, beside kTileVectors vectors of the right
// operand and one broadcast element of the left. A packed left tile has kLeftWidth elements per step of depth, a whole
// number of vectors.
#if HWY_TARGET == HWY_AVX3
using F32 = hn::CappedTag<float, 16>;
constexpr int kTileRows = 14;
constexpr int kTileVectors = 2;
constexpr int kLeftWidth = 16;
#elif HWY_TARGET == HWY_AVX2
using F32 = hn::CappedTag<float, 8>;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
constexpr int kLeftWidth = 8;
#else
using F32 = hn::CappedTag<float, 4>;
constexpr int kTileRows = 4;
constexpr int kTileVectors = 2;
constexpr int kLeftWidth = 4;
#endif
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kRightWidth = kTileVectors * kLanes;

// As many elements as D has lanes, as f32.
template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const float* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const BFloat16* from) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<std::uint16_t, D> narrow;
  const auto halves = hn::LoadU(narrow, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, halves)));
}
template <class D>
HWY_INLINE hn::Vec<D> load_f32(D d, const Float16* from) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2  // these processors have an instruction for it
  const hn::Rebind<hwy::float16_t, D> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(from)));
#else
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<std::uint16_t, D> narrow;
  const auto bits = hn::PromoteTo(wide, hn::LoadU(narrow, reinterpret_cast<const std::uint16_t*>(from)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(wide, 0x8000U)));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(wide, 0x7FFFU)));
  const auto rebias = hn::Set(wide, 112U << 23);
  // An exponent of 31, for infinities and NaN, becomes 255 by as much again.
  const auto is_above = hn::VecFromMask(d, hn::Ge(hn::BitCast(d, magnitude), hn::Set(d, 0x1p-96F)));
  const auto above = hn::And(hn::BitCast(wide, is_above), rebias);
  const auto normal = hn::BitCast(d, hn::Add(hn::Add(magnitude, rebias), above));
  // An exponent of 0 lacks the leading 1: as if it were there, less what it adds.
  const auto subnormal = hn::Sub(hn::BitCast(d, hn::Add(magnitude, hn::Set(wide, 113U << 23))), hn::Set(d, 0x1p-14F));
  const auto is_subnormal = hn::Lt(normal, hn::Set(d, 0x1p-14F));
  const auto absolute = hn::IfThenElse(is_subnormal, subnormal, normal);
  return hn::Or(absolute, hn::BitCast(d, sign));
#endif
}

#if HWY_TARGET != HWY_SCALAR
// Packs steps k .. k + 4 of kLanes memory rows as columns: to[j * kWidth + i] = rows[i][k + j].
// Block b of a loaded vector holds four steps of row 4 b + i, and each 4 x 4 block is transposed in place.
template <int kWidth, class Element>
HWY_INLINE void pack_four_steps(const Element* const* rows, std::int64_t k, float* HWY_RESTRICT to) {
  const F32 d;
  const hn::Repartition<double, F32> d64;
  const auto load = [&](int i) HWY_ATTR {
    const hn::CappedTag<float, 4> d4;
    const Element* const* r = rows + i;
#if HWY_TARGET == HWY_AVX3
    const hn::Half<F32> d8;
    const auto low = hn::Combine(d8, load_f32(d4, r[4] + k), load_f32(d4, r[0] + k));
    const auto high = hn::Combine(d8, load_f32(d4, r[12] + k), load_f32(d4, r[8] + k));
    return hn::Combine(d, high, low);
#elif HWY_TARGET == HWY_AVX2
    return hn::Combine(d, load_f32(d4, r[4] + k), load_f32(d4, r[0] + k));
#else
    return load_f32(d4, r[0] + k);
#endif
  };
  const auto v0 = load(0);
  const auto v1 = load(1);
  const auto v2 = load(2);
  const auto v3 = load(3);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, v0, v1));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, v0, v1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, v2, v3));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, v2, v3));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, to + kWidth);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, to + 2 * kWidth);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, to + 3 * kWidth);
}
#endif

// Steps of depth packed of one vector of columns before the next vector's. Rows a power of two apart share a few sets
// of the first cache: the lines of two vectors' rows would push one another out before all of them is packed.
constexpr std::int64_t kStepsPerVector = 64;

// Packs `count` <= kWidth memory rows as columns: packed[k * kWidth + i] = row(i)[k] for k < depth. Columns from
// `count` on repeat the last row: their products are never stored.
template <int kWidth, class Row>
HWY_INLINE void pack_transposed(const Row& row, std::int64_t count, std::int64_t depth, float* HWY_RESTRICT packed) {
  std::invoke_result_t<Row, std::int64_t> rows[kWidth];
  for (std::int64_t i = 0; i < kWidth; ++i) rows[i] = row(i < count ? i : count - 1);
  std::int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  const std::int64_t whole = depth / 4 * 4;
  while (k < whole) {
    const std::int64_t begin = k;
    const std::int64_t end = std::min(begin + kStepsPerVector, whole);
    for (int first = 0; first < kWidth; first += kLanes) {
      for (k = begin; k < end; k += 4) pack_four_steps<kWidth>(rows + first, k, packed + k * kWidth + first);
    }
  }
#endif
  for (; k < depth; ++k) {
    for (int i = 0; i < kWidth; ++i) packed[k * kWidth + i] = to_float(rows[i][k]);
  }
}

// Packs `count` <= kWidth elements of each of `depth` memory rows: packed[k * kWidth + i] = row(k)[i]. What stands
// there from `count` on is whatever follows in the row, when it has `readable` >= kWidth elements, else 0: never
// stored.
template <int kWidth, class Row>
HWY_INLINE void pack_copied(const Row& row, std::int64_t count, std::int64_t readable, std::int64_t depth,
                            float* HWY_RESTRICT packed) {
  const F32 d;
  if (readable >= kWidth) {
    for (std::int64_t k = 0; k < depth; ++k) {
      const float* from = row(k);
      for (int i = 0; i < kWidth; i += kLanes) hn::Store(hn::LoadU(d, from + i), d, packed + k * kWidth + i);
    }
    return;
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    const float* from = row(k);
    for (int i = 0; i < kWidth; ++i) packed[k * kWidth + i] = i < count ? from[i] : 0.0F;
  }
}

// Memory that will be packed soon, asked for while a tile is computed: line i is line i % 2^shift of rows[i >> shift].
struct Fetch {
  const char* const* rows = nullptr;
  int shift = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
constexpr std::int64_t kLineBytes = 64;

// What becomes of a tile's sums.
enum class Store {
  kSet,
  kAdd,     // to what is there
  kStream,  // past the caches; wants whole vectors at aligned addresses
};

#if HWY_TARGET == HWY_AVX3
// sum + *element * column, the element read by the multiply-add itself.
HWY_INLINE hn::Vec<F32> add_from_memory(const float* element, hn::Vec<F32> column, hn::Vec<F32> sum) {
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(column.raw), "m"(*element));
  return sum;
}
#endif

// result[r][0 .. kVectors * kLanes) = sum over k of left[k * kLeftWidth + r] right[k * kVectors * kLanes + ..].
template <int kRows, int kVectors>
void tile(const float* HWY_RESTRICT left, const float* HWY_RESTRICT right, std::int64_t depth,
          float* HWY_RESTRICT result, std::int64_t stride, Store store, const Fetch& fetch) {
  const F32 d;
  using V = hn::Vec<F32>;
  V sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = hn::Zero(d);
      if (store != Store::kStream) __builtin_prefetch(result + r * stride + v * kLanes, 1);
    }
  }
  const auto step = [&]() HWY_ATTR {
    V columns[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) columns[v] = hn::Load(d, right + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#if HWY_TARGET == HWY_AVX3
      // Every second row without loading its element first: an instruction less, a read more. So neither the two load
      // ports nor, when another thread takes half of the core, the decoder holds up the two multipliers.
      if (r % 2 == 0) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] = add_from_memory(left + r, columns[v], sums[r][v]);
        continue;
      }
#endif
      const V element = hn::Set(d, left[r]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(element, columns[v], sums[r][v]);
    }
    left += kLeftWidth;
    right += kVectors * kLanes;
  };
  // Spread evenly, lest the tile waits for a burst of lines.
  const std::int64_t groups = depth / 4;
  const std::int64_t per_group = groups == 0 ? 0 : (fetch.end - fetch.begin + groups - 1) / groups;
  std::int64_t line = fetch.begin;
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t i = 0; i < per_group && line < fetch.end; ++i, ++line) {
      const std::int64_t within = line & ((std::int64_t{1} << fetch.shift) - 1);
      __builtin_prefetch(fetch.rows[line >> fetch.shift] + within * kLineBytes, 0, 2);
    }
    // Unrolled, the compiler would move loads up until it runs out of registers.
#pragma GCC unroll 1
    for (int i = 0; i < 4; ++i) step();
  }
  for (std::int64_t k = groups * 4; k < depth; ++k) step();
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* to = result + r * stride;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if (store == Store::kStream) {
        hn::Stream(sums[r][v], d, to + v * kLanes);
      } else {
        const V sum = store == Store::kAdd ? hn::Add(hn::LoadU(d, to + v * kLanes), sums[r][v]) : sums[r][v];
        hn::StoreU(sum, d, to + v * kLanes);
      }
    }
  }
}

using Tile = void (*)(const float*, const float*, std::int64_t, float*, std::int64_t, Store, const Fetch&);

template <int kVectors, std::size_t... kIndex>
constexpr std::array<Tile, kTileRows> tiles_of(std::index_sequence<kIndex...>) {
  return {tile<static_cast<int>(kIndex) + 1, kVectors>...};
}

// The tile function for 1 .. kTileRows rows.
template <int kVectors>
Tile tile_of(std::int64_t rows) {
  static constexpr std::array<Tile, kTileRows> kTiles = tiles_of<kVectors>(std::make_index_sequence<kTileRows>());
  return kTiles[static_cast<std::size_t>(rows - 1)];
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
