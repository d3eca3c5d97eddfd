// Loops that the compiler vectorises by itself, since they are bound by memory and not by arithmetic; sums in double
// with Highway, which are not.
#include "kernels/elementwise.h"

#include <cstdint>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sum of the values or of their squares.
template <bool kSquares>
HWY_INLINE double sum_block(const float* x, std::int64_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto add = [&](hn::Vec<decltype(d)> total, std::int64_t i) HWY_ATTR {
    const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
    return kSquares ? hn::MulAdd(value, value, total) : hn::Add(total, value);
  };
  // Independent chains: a single one would wait for every addition.
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    sum0 = add(sum0, i);
    sum1 = add(sum1, i + lanes);
    sum2 = add(sum2, i + 2 * lanes);
    sum3 = add(sum3, i + 3 * lanes);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; i < count; ++i) {
    const auto value = static_cast<double>(x[i]);
    sum += kSquares ? value * value : value;
  }
  return sum;
}

double SumBlock(const float* x, std::int64_t count) { return sum_block<false>(x, count); }
double SquaresBlock(const float* x, std::int64_t count) { return sum_block<true>(x, count); }

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(SumBlock);
HWY_EXPORT(SquaresBlock);

namespace {

// Elements of one partial sum.
constexpr std::int64_t kSumBlock = 4096;

template <class Body>
void for_elements(std::size_t count, const Body& body) {
  parallel_for(static_cast<std::int64_t>(count), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(static_cast<std::size_t>(i));
  });
}

double blocked_sum(std::span<const float> x, double (*block_sum)(const float*, std::int64_t)) {
  const auto count = static_cast<std::int64_t>(x.size());
  const std::int64_t blocks = (count + kSumBlock - 1) / kSumBlock;
  PooledVector<double> partial(static_cast<std::size_t>(blocks));
  parallel_for(blocks, 4, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = block * kSumBlock;
      partial[static_cast<std::size_t>(block)] = block_sum(x.data() + begin, std::min(kSumBlock, count - begin));
    }
  });
  double total = 0.0;
  for (const double value : partial) total += value;
  return total;
}

}  // namespace

void add(std::span<const float> a, std::span<const float> b, std::span<float> y) {
  WITAN_ASSERT(a.size() == y.size() && b.size() == y.size());
  for_elements(y.size(), [&](std::size_t i) { y[i] = a[i] + b[i]; });
}

void scale(std::span<const float> x, float factor, std::span<float> y, bool accumulate) {
  WITAN_ASSERT(x.size() == y.size());
  if (accumulate) {
    for_elements(y.size(), [&](std::size_t i) { y[i] += factor * x[i]; });
  } else {
    for_elements(y.size(), [&](std::size_t i) { y[i] = factor * x[i]; });
  }
}

void multiply(std::span<const float> a, std::span<const float> b, std::span<float> y, bool accumulate) {
  WITAN_ASSERT(a.size() == y.size() && b.size() == y.size());
  if (accumulate) {
    for_elements(y.size(), [&](std::size_t i) { y[i] += a[i] * b[i]; });
  } else {
    for_elements(y.size(), [&](std::size_t i) { y[i] = a[i] * b[i]; });
  }
}

void fill(float value, std::span<float> y, bool accumulate) {
  if (accumulate) {
    for_elements(y.size(), [&](std::size_t i) { y[i] += value; });
  } else {
    for_elements(y.size(), [&](std::size_t i) { y[i] = value; });
  }
}

void scale_rows(ConstMatrix x, std::span<const float> factor, Matrix y, bool accumulate) {
  WITAN_ASSERT(x.rows == y.rows && x.cols == y.cols && static_cast<std::int64_t>(factor.size()) == x.rows);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float f = factor[static_cast<std::size_t>(r)];
      const float* from = x.row(r);
      float* to = y.row(r);
      if (accumulate) {
        for (std::int64_t c = 0; c < x.cols; ++c) to[c] += f * from[c];
      } else {
        for (std::int64_t c = 0; c < x.cols; ++c) to[c] = f * from[c];
      }
    }
  });
}

void row_dots(ConstMatrix a, ConstMatrix b, std::span<float> y, bool accumulate) {
  WITAN_ASSERT(a.rows == b.rows && a.cols == b.cols && static_cast<std::int64_t>(y.size()) == a.rows);
  parallel_for(a.rows, row_grain(a.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* left = a.row(r);
      const float* right = b.row(r);
      double dot = 0.0;
      for (std::int64_t c = 0; c < a.cols; ++c) dot += static_cast<double>(left[c]) * static_cast<double>(right[c]);
      float& sink = y[static_cast<std::size_t>(r)];
      sink = static_cast<float>(dot) + (accumulate ? sink : 0.0F);
    }
  });
}

void sigmoid(std::span<const float> x, std::span<float> y) {
  WITAN_ASSERT(x.size() == y.size());
  for_elements(y.size(), [&](std::size_t i) {
    const float small = std::exp(-std::fabs(x[i]));  // in (0, 1]: never overflows
    y[i] = (x[i] >= 0.0F ? 1.0F : small) / (1.0F + small);
  });
}

void sigmoid_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx, bool accumulate) {
  WITAN_ASSERT(y.size() == dx.size() && dy.size() == dx.size());
  for_elements(dx.size(), [&](std::size_t i) {
    const float value = dy[i] * y[i] * (1.0F - y[i]);
    dx[i] = accumulate ? dx[i] + value : value;
  });
}

void tanh(std::span<const float> x, std::span<float> y) {
  WITAN_ASSERT(x.size() == y.size());
  for_elements(y.size(), [&](std::size_t i) { y[i] = std::tanh(x[i]); });
}

void tanh_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx, bool accumulate) {
  WITAN_ASSERT(y.size() == dx.size() && dy.size() == dx.size());
  for_elements(dx.size(), [&](std::size_t i) {
    const float value = dy[i] * (1.0F - y[i] * y[i]);
    dx[i] = accumulate ? dx[i] + value : value;
  });
}

double sum(std::span<const float> x) { return blocked_sum(x, WITAN_DISPATCH(SumBlock)); }

double sum_of_squares(std::span<const float> x) { return blocked_sum(x, WITAN_DISPATCH(SquaresBlock)); }

}  // namespace witan::kernels
#endif
