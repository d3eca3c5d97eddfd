// Dots and sums over gathered rows, with Highway.
#include "kernels/neuron_mixture.h"

#include "base/index.h"
#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// result[m] = <table[experts[m]], row>, 0 without an expert. The row of the next expert is on its way meanwhile: the
// tables are larger than any cache.
void GatheredDots(ConstMatrix table, const std::int32_t* experts, std::int64_t count, const float* row, float* result) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t width = table.cols;
  for (std::int64_t m = 0; m < count; ++m) {
    if (m + 1 < count && experts[m + 1] >= 0) {
      const float* const next = table.row(experts[m + 1]);
      for (std::int64_t i = 0; i < width; i += 16) __builtin_prefetch(next + i);
    }
    if (experts[m] < 0) {
      result[m] = 0.0F;
      continue;
    }
    const float* const weight = table.row(experts[m]);
    auto sum0 = hn::Zero(d);
    auto sum1 = hn::Zero(d);
    std::int64_t i = 0;
    for (; i + 2 * lanes <= width; i += 2 * lanes) {
      sum0 = hn::MulAdd(hn::LoadU(d, weight + i), hn::LoadU(d, row + i), sum0);
      sum1 = hn::MulAdd(hn::LoadU(d, weight + i + lanes), hn::LoadU(d, row + i + lanes), sum1);
    }
    float rest = 0.0F;
    for (; i < width; ++i) rest += weight[i] * row[i];
    result[m] = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1))) + rest;
  }
}

void AddScaledRow(const float* row, float factor, std::int64_t width, float* sum) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  std::int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    hn::StoreU(hn::MulAdd(f, hn::LoadU(d, row + i), hn::LoadU(d, sum + i)), d, sum + i);
  }
  for (; i < width; ++i) sum[i] += factor * row[i];
}

// sum += factors[m] table[experts[m]] over m.
void GatheredSum(ConstMatrix table, const std::int32_t* experts, std::int64_t count, const float* factors, float* sum) {
  for (std::int64_t m = 0; m < count; ++m) {
    if (experts[m] >= 0) AddScaledRow(table.row(experts[m]), factors[m], table.cols, sum);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::kernels {
HWY_EXPORT(GatheredDots);
HWY_EXPORT(AddScaledRow);
HWY_EXPORT(GatheredSum);

namespace {

constexpr std::int64_t kRowGrain = 4;      // rows of some hundred neurons that pay for another thread
constexpr std::int64_t kExpertGrain = 64;  // rows of a table's gradient that do

void check(ConstMatrix x, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice, ConstMatrix weights) {
  WITAN_ASSERT(x.cols == up.cols && up.cols == down.cols && up.rows == down.rows);
  WITAN_ASSERT(weights.rows == x.rows && weights.cols == choice.per_row && weights.contiguous());
  WITAN_ASSERT(choice.experts.size() == index(x.rows * choice.per_row));
}

}  // namespace

void neuron_mixture(ConstMatrix x, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice, ConstMatrix weights,
                    Activation activation, Matrix hidden, Matrix y) {
  check(x, up, down, choice, weights);
  const auto gathered_dots = WITAN_DISPATCH(GatheredDots);
  const auto gathered_sum = WITAN_DISPATCH(GatheredSum);
  const std::int64_t count = choice.per_row;
  parallel_for(x.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> factors(index(count));
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int32_t* const experts = choice.experts.data() + t * count;
      gathered_dots(up, experts, count, x.row(t), hidden.row(t));
      activation_block(activation, {hidden.row(t), 1, count}, {factors.data(), 1, count});
      for (std::int64_t m = 0; m < count; ++m) factors[index(m)] *= weights(t, m);
      std::fill_n(y.row(t), y.cols, 0.0F);
      gathered_sum(down, experts, count, factors.data(), y.row(t));
    }
  });
}

void neuron_mixture_backward(ConstMatrix dy, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice,
                             ConstMatrix weights, ConstMatrix hidden, Activation activation, GradientView dx,
                             GradientView d_weights, const NeuronTerms& terms) {
  check(dy, up, down, choice, weights);
  const auto gathered_dots = WITAN_DISPATCH(GatheredDots);
  const auto gathered_sum = WITAN_DISPATCH(GatheredSum);
  const std::int64_t count = choice.per_row;
  parallel_for(dy.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> told(index(count));  // <down, dy>
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int32_t* const experts = choice.experts.data() + t * count;
      float* const slopes = terms.slopes.row(t);
      float* const outputs = terms.outputs.row(t);
      gathered_dots(down, experts, count, dy.row(t), told.data());
      std::copy_n(hidden.row(t), count, slopes);
      for (std::int64_t m = 0; m < count; ++m) outputs[m] = weights(t, m) * told[index(m)];
      activation_backward_block(activation, {slopes, 1, count}, {outputs, 1, count});
      for (std::int64_t m = 0; m < count; ++m) {
        if (d_weights.wanted()) {
          float& sum = d_weights.matrix(t, m);
          const float value = experts[m] >= 0 ? outputs[m] * told[index(m)] : 0.0F;
          sum = d_weights.accumulate ? sum + value : value;
        }
        outputs[m] *= weights(t, m);
      }
      if (!dx.wanted()) continue;
      if (!dx.accumulate) std::fill_n(dx.matrix.row(t), dx.matrix.cols, 0.0F);
      gathered_sum(up, experts, count, slopes, dx.matrix.row(t));
    }
  });
}

ChosenExperts group_by_expert(const NeuronChoice& choice) {
  constexpr int kBits = 11;
  constexpr std::size_t kBuckets = std::size_t{1} << kBits;
  PooledVector<std::int32_t> slots;
  slots.reserve(choice.experts.size());
  std::int64_t largest = 0;  // so wide that it may be shifted past its last digit
  for (std::size_t slot = 0; slot < choice.experts.size(); ++slot) {
    if (choice.experts[slot] < 0) continue;
    slots.push_back(static_cast<std::int32_t>(slot));
    largest = std::max<std::int64_t>(largest, choice.experts[slot]);
  }
  PooledVector<std::int32_t> sorted(slots.size());
  PooledVector<std::size_t> starts(kBuckets);
  for (int shift = 0; shift == 0 || largest >> shift > 0; shift += kBits) {
    const auto bucket = [&](std::int32_t slot) {
      return static_cast<std::size_t>(choice.experts[index(slot)] >> shift) % kBuckets;
    };
    std::fill(starts.begin(), starts.end(), 0);
    for (const std::int32_t slot : slots) ++starts[bucket(slot)];
    std::size_t before = 0;
    for (std::size_t& start : starts) before += std::exchange(start, before);
    for (const std::int32_t slot : slots) sorted[starts[bucket(slot)]++] = slot;
    slots.swap(sorted);
  }

  ChosenExperts chosen;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::int32_t expert = choice.experts[index(slots[i])];
    if (!chosen.experts.empty() && chosen.experts.back() == expert) continue;
    chosen.experts.push_back(expert);
    chosen.offsets.push_back(static_cast<std::int64_t>(i));
  }
  chosen.offsets.push_back(static_cast<std::int64_t>(slots.size()));
  chosen.slots = std::move(slots);
  return chosen;
}

void add_to_table(const ChosenExperts& chosen, std::int64_t per_row, ConstMatrix factors, ConstMatrix rows,
                  std::span<float* const> table) {
  WITAN_ASSERT(table.size() == chosen.experts.size() && factors.contiguous() && factors.cols == per_row);
  const auto add_scaled_row = WITAN_DISPATCH(AddScaledRow);
  parallel_for(static_cast<std::int64_t>(table.size()), kExpertGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t at = chosen.offsets[index(i)]; at < chosen.offsets[index(i + 1)]; ++at) {
        const std::int64_t slot = chosen.slots[index(at)];
        add_scaled_row(rows.row(slot / per_row), factors.data[slot], rows.cols, table[index(i)]);
      }
    }
  });
}

}  // namespace witan::kernels
#endif
