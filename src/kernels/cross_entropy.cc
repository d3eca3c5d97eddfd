// The chunked loss: logits of a few rows, their softmax with Highway, and at once the two products of the gradient.
#include "kernels/cross_entropy.h"

#include <cmath>
#include <cstdint>

#include "kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cross_entropy.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// The largest logit; NaN when any is NaN.
float Largest(const float* logits, std::int64_t count) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  if (count < lanes) {
    float largest = logits[0];
    for (std::int64_t i = 0; i < count; ++i) {
      if (!(logits[i] <= largest)) largest = logits[i];
      if (largest != largest) break;
    }
    return largest;
  }
  auto largest = hn::LoadU(d, logits);
  auto poison = hn::Sub(largest, largest);  // 0, and NaN from NaN and infinities on
  const auto see = [&](std::int64_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, logits + i);
    largest = hn::Max(largest, x);
    poison = hn::Add(poison, hn::Sub(x, x));
  };
  std::int64_t i = lanes;
  for (; i + lanes <= count; i += lanes) see(i);
  if (i < count) see(count - lanes);  // overlaps what was seen, which changes neither
  return hn::GetLane(hn::MaxOfLanes(d, largest)) + hn::GetLane(hn::SumOfLanes(d, poison));
}

// Sum of exp(logits - largest), and those in place of the logits with `keep`. Sums of at most kBlock terms are f32.
double ExpSum(float* logits, std::int64_t count, float largest, bool keep) {
  constexpr std::int64_t kBlock = 1024;
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto shift = hn::Set(d, largest);
  double total = 0.0;
  std::int64_t i = 0;
  while (i + lanes <= count) {
    const std::int64_t end = i + kBlock < count ? i + kBlock : count;
    auto sum = hn::Zero(d);
    for (; i + lanes <= end; i += lanes) {
      const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, logits + i), shift));
      sum = hn::Add(sum, e);
      if (keep) hn::StoreU(e, d, logits + i);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) {
    const auto e = hn::Exp(one, hn::Set(one, logits[i] - largest));
    total += static_cast<double>(hn::GetLane(e));
    if (keep) hn::StoreU(e, one, logits + i);
  }
  return total;
}

void Scale(float* values, std::int64_t count, float factor) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(f, hn::LoadU(d, values + i)), d, values + i);
  for (; i < count; ++i) values[i] *= factor;
}

// Turns a row of logits into the gradient scale * (softmax - onehot), if that is wanted, and returns the loss. A logit
// that is NaN or infinite makes all of it NaN.
double SoftmaxRow(float* logits, std::int64_t count, std::int32_t target, float scale, bool with_gradient) {
  const float largest = Largest(logits, count);
  if (largest != largest) {
    for (std::int64_t i = 0; with_gradient && i < count; ++i) logits[i] = largest;
    return static_cast<double>(largest);
  }
  const auto at_target = static_cast<double>(logits[target]);
  const double sum = ExpSum(logits, count, largest, with_gradient);
  if (with_gradient) {
    Scale(logits, count, static_cast<float>(static_cast<double>(scale) / sum));
    logits[target] -= scale;
  }
  return std::log(sum) + static_cast<double>(largest) - at_target;
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/gemm.h"

namespace witan::kernels {
HWY_EXPORT(SoftmaxRow);

namespace {

// Measured at D = 256, V = 4096: fewer rows make the gradient of the weight pass through memory more often than pays,
// more rows push the logits out of the cache.
constexpr std::int64_t kRowsOfAChunk = 256;
constexpr std::int64_t kGrain = 8192;  // logits that pay for another thread

Matrix rows_of(Matrix matrix, std::int64_t begin, std::int64_t rows) {
  return {matrix.row(begin), rows, matrix.cols, matrix.stride};
}

}  // namespace

double cross_entropy(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses, const CrossEntropyGradients& gradients) {
  WITAN_ASSERT(hidden.cols == weight.cols && static_cast<std::int64_t>(targets.size()) == hidden.rows);
  WITAN_ASSERT(row_losses.empty() || row_losses.size() == targets.size());
  const bool with_gradient = gradients.hidden.data != nullptr || gradients.weight.data != nullptr;
  const auto softmax_row = WITAN_DISPATCH(SoftmaxRow);
  const std::int64_t chunk_rows = std::min(kRowsOfAChunk, hidden.rows);
  PooledVector<float> logits(static_cast<std::size_t>(chunk_rows * weight.rows));
  PooledVector<double> losses(targets.size(), 0.0);
  for (std::int64_t begin = 0; begin < hidden.rows; begin += chunk_rows) {
    const std::int64_t rows = std::min(chunk_rows, hidden.rows - begin);
    const ConstMatrix inputs(hidden.row(begin), rows, hidden.cols, hidden.stride);
    const Matrix chunk(logits.data(), rows, weight.rows);
    gemm(Op::kPlain, Op::kTransposed, inputs, weight, 0.0F, chunk);
    parallel_for(rows, kGrain / weight.rows + 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        const auto t = static_cast<std::size_t>(begin + r);
        if (targets[t] < 0) {
          std::fill_n(chunk.row(r), chunk.cols, 0.0F);
        } else {
          losses[t] = softmax_row(chunk.row(r), chunk.cols, targets[t], gradients.scale, with_gradient);
        }
      }
    });
    if (gradients.hidden.data != nullptr) {
      gemm(Op::kPlain, Op::kPlain, chunk, weight, 0.0F, rows_of(gradients.hidden, begin, rows));
    }
    if (gradients.weight.data != nullptr) {
      gemm(Op::kTransposed, Op::kPlain, chunk, inputs, begin == 0 ? 0.0F : 1.0F, gradients.weight);
    }
  }
  if (hidden.rows == 0 && gradients.weight.data != nullptr) {
    for (std::int64_t v = 0; v < weight.rows; ++v) std::fill_n(gradients.weight.row(v), weight.cols, 0.0F);
  }
  double total = 0.0;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    total += losses[t];
    if (!row_losses.empty()) row_losses[t] = static_cast<float>(losses[t]);
  }
  return total;
}

}  // namespace witan::kernels
#endif
