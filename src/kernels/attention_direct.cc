// Attention of few queries, as in decoding: bound by reading keys and values once, so that nothing is packed and every
// score is a dot product.
#include "kernels/attention_block.h"
#include "kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_direct.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention_block-inl.h"
#include "kernels/exp2-inl.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// One query against `keys` keys; `scores` has room for that many, rounded up to kPadding.
void AttentionQuery(const float* q, float q_factor, std::int64_t head_dim, const float* k, std::int64_t k_stride,
                    const float* v, std::int64_t v_stride, std::int64_t keys, float* scores, float* out) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t j = 0; j < keys; ++j) scores[j] = q_factor * dot(q, k + j * k_stride, head_dim);
  const std::int64_t padded = (keys + n - 1) / n * n;
  std::fill(scores + keys, scores + padded, -std::numeric_limits<float>::infinity());
  auto tops = hn::LoadU(d, scores);
  for (std::int64_t j = n; j < padded; j += n) tops = hn::Max(tops, hn::LoadU(d, scores + j));
  tops = hn::MaxOfLanes(d, tops);
  auto sums = hn::Zero(d);
  for (std::int64_t j = 0; j < padded; j += n) {
    const auto e = exp2_nonpositive(d, hn::Sub(hn::LoadU(d, scores + j), tops));
    hn::StoreU(e, d, scores + j);
    sums = hn::Add(sums, e);
  }
  const float inverse = 1.0F / hn::GetLane(hn::SumOfLanes(d, sums));

  std::int64_t c = 0;
  for (; c + n <= head_dim; c += n) {
    // Two sums, so that one addition need not wait for the last.
    auto even = hn::Zero(d);
    auto odd = hn::Zero(d);
    std::int64_t j = 0;
    for (; j + 2 <= keys; j += 2) {
      even = hn::MulAdd(hn::Set(d, scores[j]), hn::LoadU(d, v + j * v_stride + c), even);
      odd = hn::MulAdd(hn::Set(d, scores[j + 1]), hn::LoadU(d, v + (j + 1) * v_stride + c), odd);
    }
    if (j < keys) even = hn::MulAdd(hn::Set(d, scores[j]), hn::LoadU(d, v + j * v_stride + c), even);
    hn::StoreU(hn::Mul(hn::Set(d, inverse), hn::Add(even, odd)), d, out + c);
  }
  for (; c < head_dim; ++c) {
    float sum = 0.0F;
    for (std::int64_t j = 0; j < keys; ++j) sum += scores[j] * v[j * v_stride + c];
    out[c] = inverse * sum;
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace witan::kernels {
HWY_EXPORT(AttentionQuery);

void attention_direct(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out) {
  const auto query = WITAN_DISPATCH(AttentionQuery);
  const std::int64_t dim = sizes.head_dim;
  const std::int64_t tasks = sizes.batch * sizes.queries * sizes.heads;
  deal(tasks, tasks * sizes.keys * dim, [&](std::int64_t slot, std::int64_t slots) {
    const std::int64_t room = padded_width(sizes.keys);
    Scratch scratch(room);
    float* scores = scratch.take(room);
    for (std::int64_t task = slot; task < tasks; task += slots) {
      const std::int64_t row = task / sizes.heads;
      const std::int64_t h = task % sizes.heads;
      const std::int64_t first = row / sizes.queries * sizes.keys;
      const std::int64_t at = h / sizes.group() * dim;
      query(q.row(row) + h * dim, sizes.scale * kLog2E, dim, k.row(first) + at, k.stride, v.row(first) + at, v.stride,
            sizes.keys - sizes.queries + row % sizes.queries + 1, scores, out.row(row) + h * dim);
    }
  });
}

}  // namespace witan::kernels
#endif
