// Normalisation of rows with Highway, and the loops over rows and threads.
#include "kernels/norm.h"

#include <cmath>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

#ifndef WITAN_KERNELS_NORM_CC_
#define WITAN_KERNELS_NORM_CC_
namespace witan::kernels {

// Each row is x.cols / width vectors; mean and inverse have one element for each.
struct NormForward {
  ConstMatrix x;
  Matrix y;
  const float* weight;
  const float* bias;  // may be null
  std::int64_t width;
  float epsilon;
  float* mean;     // may be null
  float* inverse;  // may be null
};

struct NormBackward {
  ConstMatrix dy;
  ConstMatrix x;
  const float* weight;
  std::int64_t width;
  const float* mean;  // null: none was taken away
  const float* inverse;
  GradientView dx;
};

}  // namespace witan::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

HWY_INLINE float sum_of(const float* x, std::int64_t count) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + n <= count; i += n) sums = hn::Add(sums, hn::LoadU(d, x + i));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) sum += x[i];
  return sum;
}

// Sum of (x - mean)^2; in double when f32 overflows.
HWY_INLINE double squares_of(const float* x, std::int64_t count, float mean) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto means = hn::Set(d, mean);
  auto even = hn::Zero(d);
  auto odd = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + 2 * n <= count; i += 2 * n) {
    const auto a = hn::Sub(hn::LoadU(d, x + i), means);
    const auto b = hn::Sub(hn::LoadU(d, x + i + n), means);
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  for (; i + n <= count; i += n) {
    const auto a = hn::Sub(hn::LoadU(d, x + i), means);
    even = hn::MulAdd(a, a, even);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < count; ++i) sum += (x[i] - mean) * (x[i] - mean);
  if (std::isfinite(sum)) return sum;
  double exact = 0.0;
  for (std::int64_t j = 0; j < count; ++j) {
    const double centred = static_cast<double>(x[j]) - mean;
    exact += centred * centred;
  }
  return exact;
}

HWY_INLINE float inverse_of(double squares, std::int64_t count, float epsilon) {
  return static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(count) + static_cast<double>(epsilon)));
}

HWY_INLINE float mean_of(const float* x, std::int64_t count) {
  const float mean = sum_of(x, count) / static_cast<float>(count);
  if (std::isfinite(mean)) return mean;
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) sum += x[i];
  return static_cast<float>(sum / static_cast<double>(count));
}

template <bool kCentred, bool kBias>
HWY_INLINE void normalise(const NormForward& task, const float* x, float* y, float mean, float inverse) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto means = hn::Set(d, mean);
  const auto inverses = hn::Set(d, inverse);
  std::int64_t i = 0;
  for (; i + n <= task.width; i += n) {
    auto value = hn::LoadU(d, x + i);
    if constexpr (kCentred) value = hn::Sub(value, means);
    value = hn::Mul(value, inverses);
    const auto weight = hn::LoadU(d, task.weight + i);
    value = kBias ? hn::MulAdd(weight, value, hn::LoadU(d, task.bias + i)) : hn::Mul(weight, value);
    hn::StoreU(value, d, y + i);
  }
  for (; i < task.width; ++i) {
    const float value = task.weight[i] * (((kCentred ? x[i] - mean : x[i])) * inverse);
    y[i] = kBias ? value + task.bias[i] : value;
  }
}

void RmsNormRows(const NormForward& task, std::int64_t begin, std::int64_t end) {
  const std::int64_t groups = task.x.cols / task.width;
  for (std::int64_t r = begin; r < end; ++r) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const float* x = task.x.row(r) + group * task.width;
      const float inverse = inverse_of(squares_of(x, task.width, 0.0F), task.width, task.epsilon);
      normalise<false, false>(task, x, task.y.row(r) + group * task.width, 0.0F, inverse);
      if (task.inverse != nullptr) task.inverse[r * groups + group] = inverse;
    }
  }
}

void LayerNormRows(const NormForward& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const float* x = task.x.row(r);
    const float mean = mean_of(x, task.width);
    const float inverse = inverse_of(squares_of(x, task.width, mean), task.width, task.epsilon);
    if (task.bias != nullptr) {
      normalise<true, true>(task, x, task.y.row(r), mean, inverse);
    } else {
      normalise<true, false>(task, x, task.y.row(r), mean, inverse);
    }
    if (task.mean != nullptr) task.mean[r] = mean;
    if (task.inverse != nullptr) task.inverse[r] = inverse;
  }
}

// out += a * (x - mean) * inverse.
HWY_INLINE void add_products(const float* a, const float* x, float mean, float inverse, std::int64_t count,
                             float* HWY_RESTRICT out) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto means = hn::Set(d, mean);
  const auto inverses = hn::Set(d, inverse);
  std::int64_t i = 0;
  for (; i + n <= count; i += n) {
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), inverses);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, a + i), normal, hn::LoadU(d, out + i)), d, out + i);
  }
  for (; i < count; ++i) out[i] += a[i] * ((x[i] - mean) * inverse);
}

HWY_INLINE void add_to(const float* a, std::int64_t count, float* HWY_RESTRICT out) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + n <= count; i += n) hn::StoreU(hn::Add(hn::LoadU(d, out + i), hn::LoadU(d, a + i)), d, out + i);
  for (; i < count; ++i) out[i] += a[i];
}

// With n = (x - mean) * r and g = weight * dy: dx = r * (g - [mean(g)] - n * mean(g * n)), the term in brackets only
// when the mean was taken away.
template <bool kCentred, bool kAccumulate>
HWY_INLINE void vector_backward(const float* dy, const float* x, const float* weight, std::int64_t width, float mean,
                                float inverse, float* dx) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto means = hn::Set(d, mean);
  const auto inverses = hn::Set(d, inverse);
  auto g_sums = hn::Zero(d);
  auto gn_sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + n <= width; i += n) {
    const auto g = hn::Mul(hn::LoadU(d, weight + i), hn::LoadU(d, dy + i));
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), inverses);
    if constexpr (kCentred) g_sums = hn::Add(g_sums, g);
    gn_sums = hn::MulAdd(g, normal, gn_sums);
  }
  float g_sum = kCentred ? hn::GetLane(hn::SumOfLanes(d, g_sums)) : 0.0F;
  float gn_sum = hn::GetLane(hn::SumOfLanes(d, gn_sums));
  for (; i < width; ++i) {
    if constexpr (kCentred) g_sum += weight[i] * dy[i];
    gn_sum += weight[i] * dy[i] * ((x[i] - mean) * inverse);
  }
  const float g_mean = g_sum / static_cast<float>(width);
  const float gn_mean = gn_sum / static_cast<float>(width);
  const auto g_means = hn::Set(d, g_mean);
  const auto gn_means = hn::Set(d, gn_mean);
  for (i = 0; i + n <= width; i += n) {
    auto g = hn::Mul(hn::LoadU(d, weight + i), hn::LoadU(d, dy + i));
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), inverses);
    if constexpr (kCentred) g = hn::Sub(g, g_means);
    const auto value = hn::Mul(inverses, hn::NegMulAdd(normal, gn_means, g));
    hn::StoreU(kAccumulate ? hn::Add(hn::LoadU(d, dx + i), value) : value, d, dx + i);
  }
  for (; i < width; ++i) {
    const float normal = (x[i] - mean) * inverse;
    const float value = inverse * (weight[i] * dy[i] - g_mean - normal * gn_mean);
    dx[i] = kAccumulate ? dx[i] + value : value;
  }
}

template <bool kCentred>
HWY_INLINE void backward_rows(const NormBackward& task, std::int64_t begin, std::int64_t end, float* dweight,
                              float* dbias) {
  const std::int64_t groups = task.x.cols / task.width;
  for (std::int64_t r = begin; r < end; ++r) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t at = group * task.width;
      const float* dy = task.dy.row(r) + at;
      const float* x = task.x.row(r) + at;
      const float mean = kCentred ? task.mean[r * groups + group] : 0.0F;
      const float inverse = task.inverse[r * groups + group];
      if (dweight != nullptr) add_products(dy, x, mean, inverse, task.width, dweight);
      if (dbias != nullptr) add_to(dy, task.width, dbias);
      if (!task.dx.wanted()) continue;
      float* dx = task.dx.matrix.row(r) + at;
      if (task.dx.accumulate) {
        vector_backward<kCentred, true>(dy, x, task.weight, task.width, mean, inverse, dx);
      } else {
        vector_backward<kCentred, false>(dy, x, task.weight, task.width, mean, inverse, dx);
      }
    }
  }
}

void NormBackwardRows(const NormBackward& task, std::int64_t begin, std::int64_t end, float* dweight, float* dbias) {
  if (task.mean != nullptr) {
    backward_rows<true>(task, begin, end, dweight, dbias);
  } else {
    backward_rows<false>(task, begin, end, dweight, dbias);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(RmsNormRows);
HWY_EXPORT(LayerNormRows);
HWY_EXPORT(NormBackwardRows);
namespace {

// Sums over rows are made of at most this many partial sums, whatever the number of threads.
constexpr std::int64_t kMaxPieces = 64;

// Adds up the partial sums [pieces, width] in order.
void add_up(const PooledVector<float>& sums, std::int64_t pieces, std::int64_t width, GradientRow out) {
  if (!out.wanted()) return;
  if (!out.accumulate) std::fill_n(out.data, width, 0.0F);
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    for (std::int64_t i = 0; i < width; ++i) out.data[i] += sums[static_cast<std::size_t>(piece * width + i)];
  }
}

void norm_backward(const NormBackward& task, GradientRow dweight, GradientRow dbias) {
  const std::int64_t count = task.x.rows;
  const std::int64_t length = std::max((count + kMaxPieces - 1) / kMaxPieces, row_grain(task.x.cols));
  const std::int64_t pieces = (count + length - 1) / length;
  const std::int64_t size = pieces * task.width;
  PooledVector<float> weight_sums(static_cast<std::size_t>(dweight.wanted() ? size : 0));
  PooledVector<float> bias_sums(static_cast<std::size_t>(dbias.wanted() ? size : 0));
  const auto backward = WITAN_DISPATCH(NormBackwardRows);
  parallel_for(pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      backward(task, piece * length, std::min(count, (piece + 1) * length),
               dweight.wanted() ? weight_sums.data() + piece * task.width : nullptr,
               dbias.wanted() ? bias_sums.data() + piece * task.width : nullptr);
    }
  });
  add_up(weight_sums, pieces, task.width, dweight);
  add_up(bias_sums, pieces, task.width, dbias);
}

}  // namespace

void rms_norm(ConstMatrix x, const float* weight, std::int64_t width, float epsilon, Matrix y, float* inverse_rms) {
  WITAN_ASSERT(width > 0 && x.cols % width == 0 && y.rows == x.rows && y.cols == x.cols && epsilon > 0.0F);
  const NormForward task{x, y, weight, nullptr, width, epsilon, nullptr, inverse_rms};
  const auto rows = WITAN_DISPATCH(RmsNormRows);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) { rows(task, begin, end); });
}

void rms_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, std::int64_t width, const float* inverse_rms,
                       GradientView dx, GradientRow dweight) {
  WITAN_ASSERT(width > 0 && x.cols % width == 0 && dy.rows == x.rows && dy.cols == x.cols);
  norm_backward({dy, x, weight, width, nullptr, inverse_rms, dx}, dweight, {});
}

void layer_norm(ConstMatrix x, const float* weight, const float* bias, float epsilon, Matrix y, float* mean,
                float* inverse_deviation) {
  WITAN_ASSERT(x.cols > 0 && y.rows == x.rows && y.cols == x.cols && epsilon > 0.0F);
  const NormForward task{x, y, weight, bias, x.cols, epsilon, mean, inverse_deviation};
  const auto rows = WITAN_DISPATCH(LayerNormRows);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) { rows(task, begin, end); });
}

void layer_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, const float* mean,
                         const float* inverse_deviation, GradientView dx, GradientRow dweight, GradientRow dbias) {
  WITAN_ASSERT(x.cols > 0 && dy.rows == x.rows && dy.cols == x.cols);
  norm_backward({dy, x, weight, x.cols, mean, inverse_deviation, dx}, dweight, dbias);
}

}  // namespace witan::kernels
#endif
