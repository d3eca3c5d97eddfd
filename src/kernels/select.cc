// Top-k of many rows at once, one row per vector lane, with Highway: each score sinks through a sorted list of k
// registers without a branch. Longer lists are rare and take a plain loop. And the reference.
#include "kernels/select.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using I32 = hn::ScalableTag<std::int32_t>;
using F32 = hn::ScalableTag<float>;

// Whole numbers in the order of the scores: -0 equals +0, and every number is above the least whole number, which marks
// a place that is still free.
template <class V>
HWY_INLINE hn::Vec<I32> ordered_key(V scores) {
  const I32 di;
  const auto bits = hn::BitCast(di, hn::Add(scores, hn::Zero(F32())));
  const auto flip = hn::And(hn::BroadcastSignBit(bits), hn::Set(di, 0x7FFFFFFF));
  return hn::Xor(bits, flip);
}

// Rows at `row_offsets` from scores + first .. of one vector of rows; writes indices [lanes, K]. False for a NaN.
template <int K>
HWY_NOINLINE bool select_lanes(const float* scores, hn::Vec<I32> row_offsets, std::int64_t cols,
                               std::int32_t* indices) {
  const I32 di;
  const F32 df;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(di));
  // Named by number, not an array: vectors of unknown size may not be members.
  auto k0 = hn::Set(di, INT32_MIN), k1 = k0, k2 = k0, k3 = k0, k4 = k0, k5 = k0, k6 = k0, k7 = k0;
  auto i0 = hn::Zero(di), i1 = i0, i2 = i0, i3 = i0, i4 = i0, i5 = i0, i6 = i0, i7 = i0;
  auto poison = hn::Zero(df);
  for (std::int64_t e = 0; e < cols; ++e) {
    const auto score = hn::GatherIndex(df, scores + e, row_offsets);
    poison = hn::Add(poison, hn::IfThenElseZero(hn::IsNaN(score), score));
    const auto fresh = ordered_key(score);
    auto key = fresh;
    auto index = hn::Set(di, static_cast<std::int32_t>(e));
    // From the first place that the fresh score beats, all move down by one. Equal scores do not beat: the lower index
    // stays in front.
    const auto sink = [fresh, &key, &index](hn::Vec<I32>& held_key, hn::Vec<I32>& held_index) HWY_ATTR {
      const auto above = hn::Gt(fresh, held_key);
      const auto next_key = hn::Min(key, held_key);
      held_key = hn::Max(key, held_key);
      key = next_key;
      const auto next_index = hn::IfThenElse(above, held_index, index);
      held_index = hn::IfThenElse(above, index, held_index);
      index = next_index;
    };
    sink(k0, i0);
    if constexpr (K > 1) sink(k1, i1);
    if constexpr (K > 2) sink(k2, i2);
    if constexpr (K > 3) sink(k3, i3);
    if constexpr (K > 4) sink(k4, i4);
    if constexpr (K > 5) sink(k5, i5);
    if constexpr (K > 6) sink(k6, i6);
    if constexpr (K > 7) sink(k7, i7);
  }
  HWY_ALIGN std::int32_t column[HWY_MAX_BYTES / sizeof(std::int32_t)];
  const auto put = [di, lanes, indices, &column](hn::Vec<I32> held, int place) HWY_ATTR {
    hn::Store(held, di, column);
    for (std::int64_t lane = 0; lane < lanes; ++lane) indices[lane * K + place] = column[lane];
  };
  put(i0, 0);
  if constexpr (K > 1) put(i1, 1);
  if constexpr (K > 2) put(i2, 2);
  if constexpr (K > 3) put(i3, 3);
  if constexpr (K > 4) put(i4, 4);
  if constexpr (K > 5) put(i5, 5);
  if constexpr (K > 6) put(i6, 6);
  if constexpr (K > 7) put(i7, 7);
  return hn::AllFalse(df, hn::IsNaN(poison));
}

bool call_select_lanes(const float* scores, hn::Vec<I32> row_offsets, std::int64_t cols, std::int64_t k,
                       std::int32_t* indices) {
  switch (k) {
    case 1:
      return select_lanes<1>(scores, row_offsets, cols, indices);
    case 2:
      return select_lanes<2>(scores, row_offsets, cols, indices);
    case 3:
      return select_lanes<3>(scores, row_offsets, cols, indices);
    case 4:
      return select_lanes<4>(scores, row_offsets, cols, indices);
    case 5:
      return select_lanes<5>(scores, row_offsets, cols, indices);
    case 6:
      return select_lanes<6>(scores, row_offsets, cols, indices);
    case 7:
      return select_lanes<7>(scores, row_offsets, cols, indices);
    default:
      return select_lanes<8>(scores, row_offsets, cols, indices);
  }
}

// indices [rows, k], k <= 8. Returns how many rows were done: all of them in whole vectors, less from a NaN on.
std::int64_t SelectRows(const float* scores, std::int64_t rows, std::int64_t cols, std::int64_t stride, std::int64_t k,
                        std::int32_t* indices) {
  const I32 di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(di));
  if (stride > INT32_MAX / lanes) return 0;
  const auto row_offsets = hn::Mul(hn::Iota(di, 0), hn::Set(di, static_cast<std::int32_t>(stride)));
  std::int64_t t = 0;
  for (; t + lanes <= rows; t += lanes) {
    if (!call_select_lanes(scores + t * stride, row_offsets, cols, k, indices + t * k)) return t;
  }
  return t;
}

// Lane by lane the two largest, then across lanes.
BestTwo FindBestTwo(const float* values, const float* prices, std::int64_t count) {
  const F32 df;
  const I32 di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
  const auto lowest = hn::Set(df, -std::numeric_limits<float>::infinity());
  auto first = lowest, second = lowest;
  auto index = hn::Zero(di);
  auto here = hn::Iota(di, 0);
  HWY_ALIGN float tail[HWY_MAX_BYTES / sizeof(float)];
  for (std::int64_t i = 0; i < count; i += lanes) {
    if (i + lanes > count) {
      std::fill_n(tail, lanes, -std::numeric_limits<float>::infinity());
      for (std::int64_t j = i; j < count; ++j) tail[j - i] = values[j] - prices[j];
    }
    const auto net =
        i + lanes > count ? hn::Load(df, tail) : hn::Sub(hn::LoadU(df, values + i), hn::LoadU(df, prices + i));
    const auto better = hn::Gt(net, first);
    second = hn::Max(second, hn::Min(net, first));
    first = hn::Max(first, net);
    index = hn::IfThenElse(hn::RebindMask(di, better), here, index);
    here = hn::Add(here, hn::Set(di, static_cast<std::int32_t>(lanes)));
  }
  const auto best = hn::MaxOfLanes(df, first);
  const auto at_best = hn::Eq(first, best);
  const auto candidates = hn::IfThenElse(hn::RebindMask(di, at_best), index, hn::Set(di, INT32_MAX));
  const auto winner = hn::MinOfLanes(di, candidates);
  // In the winner's lane the runner-up is the second, in the others the first.
  const auto is_winner = hn::RebindMask(df, hn::Eq(candidates, winner));
  const auto rest = hn::MaxOfLanes(df, hn::IfThenElse(is_winner, second, first));
  return {hn::GetLane(winner), hn::GetLane(best), hn::GetLane(rest)};
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(SelectRows);
HWY_EXPORT(FindBestTwo);

namespace {

constexpr std::int64_t kMostInLanes = 8;  // the longest list that is held in registers
constexpr std::int64_t kNoRow = std::numeric_limits<std::int64_t>::max();

void check(ConstMatrix scores, std::int64_t k, std::span<const std::int32_t> indices, std::span<const float> values) {
  WITAN_ASSERT(k >= 1 && k <= scores.cols);
  WITAN_ASSERT(static_cast<std::int64_t>(indices.size()) == scores.rows * k);
  WITAN_ASSERT(values.empty() || values.size() == indices.size());
}

bool row_has_nan(const float* row, std::int64_t cols) {
  return std::any_of(row, row + cols, [](float value) { return std::isnan(value); });
}

void select_row(const float* row, std::int64_t cols, std::int64_t k, std::int32_t* chosen) {
  std::int64_t held = 0;
  for (std::int64_t e = 0; e < cols; ++e) {
    if (held == k && !(row[e] > row[chosen[k - 1]])) continue;
    std::int64_t place = held < k ? held++ : k - 1;
    for (; place > 0 && row[e] > row[chosen[place - 1]]; --place) chosen[place] = chosen[place - 1];
    chosen[place] = static_cast<std::int32_t>(e);
  }
}

}  // namespace

std::int64_t top_k(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices, std::span<float> values) {
  check(scores, k, indices, values);
  const auto select_rows = WITAN_DISPATCH(SelectRows);
  std::atomic<std::int64_t> first_nan{kNoRow};
  parallel_for(scores.rows, row_grain(scores.cols), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t done = begin;
    if (k <= kMostInLanes) {
      done += select_rows(scores.row(begin), end - begin, scores.cols, scores.stride, k, indices.data() + begin * k);
    }
    for (; done < end; ++done) {
      if (row_has_nan(scores.row(done), scores.cols)) {
        std::int64_t seen = first_nan.load();
        while (done < seen && !first_nan.compare_exchange_weak(seen, done)) {
        }
        return;
      }
      select_row(scores.row(done), scores.cols, k, indices.data() + done * k);
    }
    if (values.empty()) return;
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t j = t * k; j < (t + 1) * k; ++j) {
        values[static_cast<std::size_t>(j)] = scores(t, indices[static_cast<std::size_t>(j)]);
      }
    }
  });
  return first_nan == kNoRow ? -1 : first_nan.load();
}

std::int64_t top_k_reference(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices,
                             std::span<float> values) {
  check(scores, k, indices, values);
  PooledVector<std::int32_t> order(static_cast<std::size_t>(scores.cols));
  for (std::int64_t t = 0; t < scores.rows; ++t) {
    const float* row = scores.row(t);
    if (row_has_nan(row, scores.cols)) return t;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return row[a] > row[b]; });
    for (std::int64_t j = 0; j < k; ++j) {
      const std::int32_t expert = order[static_cast<std::size_t>(j)];
      indices[static_cast<std::size_t>(t * k + j)] = expert;
      if (!values.empty()) values[static_cast<std::size_t>(t * k + j)] = row[expert];
    }
  }
  return -1;
}

BestTwo best_two(std::span<const float> values, std::span<const float> prices) {
  WITAN_ASSERT(!values.empty() && prices.size() == values.size());
  return WITAN_DISPATCH(FindBestTwo)(values.data(), prices.data(), static_cast<std::int64_t>(values.size()));
}

BestTwo best_two_reference(std::span<const float> values, std::span<const float> prices) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  BestTwo result{0, kLowest, kLowest};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float net = values[i] - prices[i];
    if (net > result.best) {
      result = {static_cast<std::int32_t>(i), net, result.best};
    } else {
      result.second = std::max(result.second, net);
    }
  }
  return result;
}

}  // namespace witan::kernels
#endif
