// Softmax of rows.
#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::kernels {
namespace {

// Exponentials cost about ten times a plain element.
constexpr std::int64_t kGrainElements = 1 << 12;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::int64_t row_grain(std::int64_t cols) {
  return std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(cols, 1));
}

// NaN entries are passed over: they come back through the sum.
float largest(const float* x, std::int64_t count) {
  float value = kMinusInfinity;
  for (std::int64_t i = 0; i < count; ++i) value = std::max(value, x[i]);
  return value;
}

}  // namespace

void softmax(ConstMatrix x, Matrix y) {
  WITAN_ASSERT(y.rows == x.rows && y.cols == x.cols);
  if (x.cols == 0) return;
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* in = x.row(r);
      float* out = y.row(r);
      const float top = largest(in, x.cols);
      if (top == kMinusInfinity) {
        const bool masked = std::all_of(in, in + x.cols, [](float value) { return value == kMinusInfinity; });
        WITAN_ASSERT(!masked && "softmax of a row of nothing but -inf");
      }
      float sum = 0.0F;
      for (std::int64_t i = 0; i < x.cols; ++i) {
        out[i] = std::exp(in[i] - top);
        sum += out[i];
      }
      const float inverse = 1.0F / sum;
      for (std::int64_t i = 0; i < x.cols; ++i) out[i] *= inverse;
    }
  });
}

void softmax_backward(ConstMatrix dy, ConstMatrix y, Matrix dx, bool accumulate) {
  WITAN_ASSERT(y.rows == dy.rows && y.cols == dy.cols && dx.rows == dy.rows && dx.cols == dy.cols);
  parallel_for(y.rows, row_grain(y.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float dot = 0.0F;
      for (std::int64_t i = 0; i < y.cols; ++i) dot += dy(r, i) * y(r, i);
      for (std::int64_t i = 0; i < y.cols; ++i) {
        const float value = y(r, i) * (dy(r, i) - dot);
        dx(r, i) = accumulate ? dx(r, i) + value : value;
      }
    }
  });
}

void log_sum_exp(ConstMatrix x, float* result) {
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float top = largest(x.row(r), x.cols);
      // Nothing to shift by when every entry is -inf (or NaN).
      const float shift = top == kMinusInfinity ? 0.0F : top;
      float sum = 0.0F;
      for (std::int64_t i = 0; i < x.cols; ++i) sum += std::exp(x(r, i) - shift);
      result[r] = shift + std::log(sum);
    }
  });
}

void log_sum_exp_backward(const float* dresult, ConstMatrix x, const float* result, Matrix dx, bool accumulate) {
  WITAN_ASSERT(dx.rows == x.rows && dx.cols == x.cols);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const bool empty = result[r] == kMinusInfinity;
      for (std::int64_t i = 0; i < x.cols; ++i) {
        const float value = empty ? 0.0F : dresult[r] * std::exp(x(r, i) - result[r]);
        dx(r, i) = accumulate ? dx(r, i) + value : value;
      }
    }
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

}  // namespace witan::kernels
