// Softmax of rows with Highway.
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

// Runs body(vector, count) -> vector over a row and stores what it returns where `out` is not null. The last vector is
// filled up with -inf: nothing for a maximum, 0 for a sum of exponentials.
template <class Body>
HWY_INLINE void for_row(const float* x, std::int64_t cols, float* out, const Body& body) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + n <= cols; i += n) {
    const Vec value = body(hn::LoadU(d, x + i));
    if (out != nullptr) hn::StoreU(value, d, out + i);
  }
  if (i == cols) return;
  HWY_ALIGN float end[hn::MaxLanes(F32())];
  hn::Store(hn::Set(d, -std::numeric_limits<float>::infinity()), d, end);
  std::copy(x + i, x + cols, end);
  const Vec value = body(hn::Load(d, end));
  if (out == nullptr) return;
  hn::Store(value, d, end);
  std::copy(end, end + (cols - i), out + i);
}

// exp, but NaN stays NaN.
HWY_INLINE Vec exp_or_nan(Vec x) {
  const F32 d;
  return hn::IfThenElse(hn::Eq(x, x), hn::Exp(d, x), x);
}

// What is taken away from a row before exp: its largest entry, or 0 when that is -inf. NaN entries may be passed over:
// they come back through the sum.
HWY_INLINE float shift_of(const float* x, std::int64_t cols) {
  const F32 d;
  Vec tops = hn::Set(d, -std::numeric_limits<float>::infinity());
  for_row(x, cols, nullptr, [&](Vec value) HWY_ATTR { return tops = hn::Max(tops, value); });
  const float top = hn::GetLane(hn::MaxOfLanes(d, tops));
  return top == -std::numeric_limits<float>::infinity() ? 0.0F : top;
}

// Sum of exp(x - shift), which is 0 only for a row of nothing but -inf. exp(x - shift) goes to `out` unless null.
HWY_INLINE float exponentials(const float* x, std::int64_t cols, float shift, float* out) {
  const F32 d;
  const Vec shifts = hn::Set(d, shift);
  Vec sums = hn::Zero(d);
  for_row(x, cols, out, [&](Vec value) HWY_ATTR {
    const Vec e = exp_or_nan(hn::Sub(value, shifts));
    sums = hn::Add(sums, e);
    return e;
  });
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

// Returns whether the row has a softmax.
bool SoftmaxRow(const float* x, std::int64_t cols, float* y) {
  const F32 d;
  const float sum = exponentials(x, cols, shift_of(x, cols), y);
  const Vec inverse = hn::Set(d, 1.0F / sum);
  for_row(y, cols, y, [&](Vec value) HWY_ATTR { return hn::Mul(value, inverse); });
  return sum != 0.0F;
}

float LogSumExpRow(const float* x, std::int64_t cols) {
  const float shift = shift_of(x, cols);
  return shift + std::log(exponentials(x, cols, shift, nullptr));
}

float EntropyRow(const float* p, std::int64_t cols) {
  const F32 d;
  const Vec one = hn::Set(d, 1.0F);
  Vec sums = hn::Zero(d);
  for_row(p, cols, nullptr, [&](Vec value) HWY_ATTR {
    const Vec positive = hn::IfThenElse(hn::Gt(value, hn::Zero(d)), value, one);  // log 1 = 0: adds nothing
    return sums = hn::NegMulAdd(positive, hn::Log(d, positive), sums);
  });
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

// dx = or += factor * exp(x - shift).
void ExpRow(const float* x, std::int64_t cols, float shift, float factor, float* dx, bool accumulate) {
  const F32 d;
  const Vec shifts = hn::Set(d, shift);
  const Vec factors = hn::Set(d, factor);
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + n <= cols; i += n) {
    const Vec value = hn::Mul(factors, exp_or_nan(hn::Sub(hn::LoadU(d, x + i), shifts)));
    hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, dx + i), value) : value, d, dx + i);
  }
  for (; i < cols; ++i) {
    const float value = factor * std::exp(x[i] - shift);
    dx[i] = accumulate ? dx[i] + value : value;
  }
}

// dx = or += y * (dy - sum(dy * y)).
void SoftmaxBackwardRow(const float* dy, const float* y, std::int64_t cols, float* dx, bool accumulate) {
  const F32 d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  Vec sums = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + n <= cols; i += n) sums = hn::MulAdd(hn::LoadU(d, dy + i), hn::LoadU(d, y + i), sums);
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < cols; ++i) sum += dy[i] * y[i];
  sums = hn::Set(d, sum);
  for (i = 0; i + n <= cols; i += n) {
    const Vec value = hn::Mul(hn::LoadU(d, y + i), hn::Sub(hn::LoadU(d, dy + i), sums));
    hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, dx + i), value) : value, d, dx + i);
  }
  for (; i < cols; ++i) {
    const float value = y[i] * (dy[i] - sum);
    dx[i] = accumulate ? dx[i] + value : value;
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/error.h"
#include "base/parallel.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(LogSumExpRow);
HWY_EXPORT(EntropyRow);
HWY_EXPORT(ExpRow);
HWY_EXPORT(SoftmaxBackwardRow);
namespace {

// Elements worth a thread; an exponential costs about ten times a plain operation.
constexpr std::int64_t kGrainExponentials = 1 << 12;

std::int64_t softmax_grain(std::int64_t cols) { return row_grain(cols, kGrainExponentials); }

}  // namespace

void softmax(ConstMatrix x, Matrix y) {
  WITAN_ASSERT(y.rows == x.rows && y.cols == x.cols);
  if (x.cols == 0) return;
  const auto row = WITAN_DISPATCH(SoftmaxRow);
  parallel_for(x.rows, softmax_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const bool has_softmax = row(x.row(r), x.cols, y.row(r));
      WITAN_ASSERT(has_softmax && "a row of nothing but -inf");
    }
  });
}

void softmax_backward(ConstMatrix dy, ConstMatrix y, Matrix dx, bool accumulate) {
  WITAN_ASSERT(y.rows == dy.rows && y.cols == dy.cols && dx.rows == dy.rows && dx.cols == dy.cols);
  const auto row = WITAN_DISPATCH(SoftmaxBackwardRow);
  parallel_for(y.rows, softmax_grain(y.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row(dy.row(r), y.row(r), y.cols, dx.row(r), accumulate);
  });
}

void log_sum_exp(ConstMatrix x, float* result) {
  const auto row = WITAN_DISPATCH(LogSumExpRow);
  parallel_for(x.rows, softmax_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) result[r] = row(x.row(r), x.cols);
  });
}

void log_sum_exp_backward(const float* dresult, ConstMatrix x, const float* result, Matrix dx, bool accumulate) {
  WITAN_ASSERT(dx.rows == x.rows && dx.cols == x.cols);
  const auto row = WITAN_DISPATCH(ExpRow);
  parallel_for(x.rows, softmax_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      // exp(-inf - -inf) would be NaN where nothing was summed.
      const bool empty = result[r] == -std::numeric_limits<float>::infinity();
      row(x.row(r), x.cols, empty ? 0.0F : result[r], empty ? 0.0F : dresult[r], dx.row(r), accumulate);
    }
  });
}

void row_entropy(ConstMatrix p, float* result) {
  const auto row = WITAN_DISPATCH(EntropyRow);
  parallel_for(p.rows, softmax_grain(p.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) result[r] = row(p.row(r), p.cols);
  });
}

void softmax_reference(ConstMatrix x, Matrix y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double top = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < x.cols; ++i) top = std::max<double>(top, x(r, i));
    double sum = 0.0;
    for (std::int64_t i = 0; i < x.cols; ++i) sum += std::exp(x(r, i) - top);
    for (std::int64_t i = 0; i < x.cols; ++i) y(r, i) = static_cast<float>(std::exp(x(r, i) - top) / sum);
  }
}

void log_sum_exp_reference(ConstMatrix x, float* result) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    double top = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < x.cols; ++i) top = std::max<double>(top, x(r, i));
    double sum = 0.0;
    for (std::int64_t i = 0; i < x.cols; ++i) sum += std::exp(x(r, i) - top);
    result[r] = static_cast<float>(top + std::log(sum));
  }
}

void row_entropy_reference(ConstMatrix p, float* result) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < p.cols; ++i) {
      const auto value = static_cast<double>(p(r, i));
      if (value > 0.0) sum -= value * std::log(value);
    }
    result[r] = static_cast<float>(sum);
  }
}

}  // namespace witan::kernels
#endif
