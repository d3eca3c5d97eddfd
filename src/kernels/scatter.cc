// Weighted sums of scattered rows, with Highway.
#include "kernels/scatter.h"

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// out = weight x, or out += weight x.
void AddScaled(const float* x, float weight, float* out, std::int64_t count, bool accumulate) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto w = hn::Set(d, weight);
  std::int64_t i = 0;
  if (accumulate) {
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(hn::MulAdd(w, hn::LoadU(d, x + i), hn::LoadU(d, out + i)), d, out + i);
    }
    const hn::CappedTag<float, 1> one;
    for (; i < count; ++i) {
      hn::StoreU(hn::MulAdd(hn::Set(one, weight), hn::LoadU(one, x + i), hn::LoadU(one, out + i)), one, out + i);
    }
  } else {
    for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(w, hn::LoadU(d, x + i)), d, out + i);
    for (; i < count; ++i) out[i] = weight * x[i];
  }
}

float Dot(const float* x, const float* y, std::int64_t count) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d);
  auto sum1 = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    sum0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), sum0);
    sum1 = hn::MulAdd(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes), sum1);
  }
  float rest = 0.0F;
  for (; i < count; ++i) rest += x[i] * y[i];
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))) + rest;
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(AddScaled);
HWY_EXPORT(Dot);

RowEntries entries_by_row(std::span<const std::int32_t> row_indices, std::int64_t num_rows) {
  RowEntries rows;
  rows.offsets.assign(static_cast<std::size_t>(num_rows) + 1, 0);
  rows.entries.resize(row_indices.size());
  for (const std::int32_t row : row_indices) {
    WITAN_ASSERT(row >= 0 && row < num_rows);
    ++rows.offsets[static_cast<std::size_t>(row) + 1];
  }
  for (std::size_t t = 1; t < rows.offsets.size(); ++t) rows.offsets[t] += rows.offsets[t - 1];
  PooledVector<std::int32_t> next(rows.offsets.begin(), rows.offsets.end() - 1);
  for (std::size_t a = 0; a < row_indices.size(); ++a) {
    rows.entries[static_cast<std::size_t>(next[static_cast<std::size_t>(row_indices[a])]++)] =
        static_cast<std::int32_t>(a);
  }
  return rows;
}

void sum_entries(const RowEntries& rows, ConstMatrix x, std::span<const float> weights, Matrix out, bool accumulate) {
  WITAN_ASSERT(static_cast<std::int64_t>(rows.offsets.size()) == out.rows + 1);
  WITAN_ASSERT(static_cast<std::int64_t>(rows.entries.size()) == x.rows && x.cols == out.cols);
  WITAN_ASSERT(weights.empty() || weights.size() == rows.entries.size());
  const auto add = WITAN_DISPATCH(AddScaled);
  parallel_for(out.rows, row_grain(out.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const auto at = static_cast<std::size_t>(t);
      bool started = accumulate;
      for (std::int32_t i = rows.offsets[at]; i < rows.offsets[at + 1]; ++i) {
        const std::int32_t a = rows.entries[static_cast<std::size_t>(i)];
        add(x.row(a), weights.empty() ? 1.0F : weights[static_cast<std::size_t>(a)], out.row(t), out.cols, started);
        started = true;
      }
      if (!started) std::fill_n(out.row(t), out.cols, 0.0F);
    }
  });
}

void spread_rows(std::span<const std::int32_t> row_indices, ConstMatrix x, std::span<const float> weights, Matrix out,
                 bool accumulate) {
  WITAN_ASSERT(static_cast<std::int64_t>(row_indices.size()) == out.rows && x.cols == out.cols);
  WITAN_ASSERT(weights.size() == row_indices.size());
  const auto add = WITAN_DISPATCH(AddScaled);
  parallel_for(out.rows, row_grain(out.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t a = begin; a < end; ++a) {
      const auto at = static_cast<std::size_t>(a);
      add(x.row(row_indices[at]), weights[at], out.row(a), out.cols, accumulate);
    }
  });
}

void dot_rows(std::span<const std::int32_t> row_indices, ConstMatrix x, ConstMatrix y, std::span<float> out,
              bool accumulate) {
  WITAN_ASSERT(static_cast<std::int64_t>(row_indices.size()) == x.rows && x.cols == y.cols);
  WITAN_ASSERT(out.size() == row_indices.size());
  const auto dot = WITAN_DISPATCH(Dot);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t a = begin; a < end; ++a) {
      const auto at = static_cast<std::size_t>(a);
      const float product = dot(x.row(a), y.row(row_indices[at]), x.cols);
      out[at] = accumulate ? out[at] + product : product;
    }
  });
}

}  // namespace witan::kernels
#endif
