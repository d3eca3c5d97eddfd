// Attention of few queries, as in decoding: bound by reading keys and values once, so that nothing is packed and every
// score is a dot product.
#include <limits>

#include "kernels/attention_block.h"
#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention_block-inl.h"
#include "kernels/exp2-inl.h"

#ifndef WITAN_KERNELS_ATTENTION_DIRECT_CC_
#define WITAN_KERNELS_ATTENTION_DIRECT_CC_
namespace witan::kernels {

// The query heads of one row that share keys and values.
struct DirectTask {
  const float* q;  // [heads, head_dim]
  float q_factor;
  std::int64_t heads;
  std::int64_t head_dim;
  const float* k;
  std::int64_t k_stride;
  const float* v;
  std::int64_t v_stride;
  std::int64_t keys;
  const float* sinks;  // [heads] or null
  float* scores;       // scratch, [heads, padded_width(keys)]
  float* out;          // [heads, head_dim]
};

}  // namespace witan::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// scores [keys] become 2^(score - largest); returns 1 over their sum. The sink, unless null, is among the scores.
HWY_INLINE float soften(float* scores, std::int64_t keys, const float* sink) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t padded = (keys + n - 1) / n * n;
  std::fill(scores + keys, scores + padded, -std::numeric_limits<float>::infinity());
  auto tops = hn::LoadU(d, scores);
  for (std::int64_t j = n; j < padded; j += n) tops = hn::Max(tops, hn::LoadU(d, scores + j));
  tops = hn::MaxOfLanes(d, tops);
  const auto sinks = hn::Set(d, sink == nullptr ? -std::numeric_limits<float>::infinity() : *sink * kLog2E);
  tops = hn::Max(tops, sinks);
  auto sums = hn::Zero(d);
  for (std::int64_t j = 0; j < padded; j += n) {
    const auto e = fast_exp2(d, hn::Sub(hn::LoadU(d, scores + j), tops));
    hn::StoreU(e, d, scores + j);
    sums = hn::Add(sums, e);
  }
  const float of_sink = hn::GetLane(fast_exp2(d, hn::Sub(sinks, tops)));
  return 1.0F / (hn::GetLane(hn::SumOfLanes(d, sums)) + of_sink);
}

// out = factor * sum over j of weights[j] * v[j].
HWY_INLINE void weighted_sum(const float* weights, const DirectTask& task, float factor, float* out) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + n <= task.head_dim; c += n) {
    // Two sums, so that one addition need not wait for the last.
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    const float* v = task.v + c;
    std::int64_t j = 0;
    for (; j + 2 <= task.keys; j += 2) {
      even = hn::MulAdd(hn::Set(d, weights[j]), hn::LoadU(d, v + j * task.v_stride), even);
      odd = hn::MulAdd(hn::Set(d, weights[j + 1]), hn::LoadU(d, v + (j + 1) * task.v_stride), odd);
    }
    if (j < task.keys) even = hn::MulAdd(hn::Set(d, weights[j]), hn::LoadU(d, v + j * task.v_stride), even);
    hn::StoreU(hn::Mul(hn::Set(d, factor), hn::Add(even, odd)), d, out + c);
  }
  for (; c < task.head_dim; ++c) {
    float sum = 0.0F;
    for (std::int64_t j = 0; j < task.keys; ++j) sum += weights[j] * task.v[j * task.v_stride + c];
    out[c] = factor * sum;
  }
}

void AttentionDirect(const DirectTask& task) {
  const std::int64_t room = padded_width(task.keys);
  // A block of keys comes from memory once and serves all heads.
  for (std::int64_t first = 0; first < task.keys; first += kKeyBlock) {
    const std::int64_t last = std::min(task.keys, first + kKeyBlock);
    for (std::int64_t h = 0; h < task.heads; ++h) {
      const float* q = task.q + h * task.head_dim;
      for (std::int64_t j = first; j < last; ++j) {
        task.scores[h * room + j] = task.q_factor * dot(q, task.k + j * task.k_stride, task.head_dim);
      }
    }
  }
  for (std::int64_t h = 0; h < task.heads; ++h) {
    float* scores = task.scores + h * room;
    const float inverse = soften(scores, task.keys, task.sinks == nullptr ? nullptr : task.sinks + h);
    weighted_sum(scores, task, inverse, task.out + h * task.head_dim);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace witan::kernels {
HWY_EXPORT(AttentionDirect);

void attention_direct(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out) {
  const auto direct = WITAN_DISPATCH(AttentionDirect);
  const std::int64_t dim = sizes.head_dim;
  const std::int64_t rows = sizes.batch * sizes.queries;
  // Heads that share keys go together, unless that leaves threads without work.
  const std::int64_t together = rows * sizes.kv_heads < num_threads() ? 1 : sizes.group();
  const std::int64_t tasks = rows * sizes.heads / together;
  deal(tasks, rows * sizes.heads * sizes.keys * dim, [&](std::int64_t slot, std::int64_t slots) {
    const std::int64_t room = together * padded_width(sizes.keys);
    Scratch scratch(room);
    float* scores = scratch.take(room);
    for (std::int64_t task = slot; task < tasks; task += slots) {
      const std::int64_t row = task / (sizes.heads / together);
      const std::int64_t h = task % (sizes.heads / together) * together;
      const std::int64_t position = sizes.keys - sizes.queries + row % sizes.queries;
      const std::int64_t before = sizes.first_seen(position);
      const std::int64_t first = row / sizes.queries * sizes.keys + before;
      const std::int64_t at = h / sizes.group() * dim;
      direct({q.row(row) + h * dim, sizes.scale * kLog2E, together, dim, k.row(first) + at, k.stride, v.row(first) + at,
              v.stride, position + 1 - before, sizes.sinks == nullptr ? nullptr : sizes.sinks + h, scores,
              out.row(row) + h * dim});
    }
  });
}

}  // namespace witan::kernels
#endif
