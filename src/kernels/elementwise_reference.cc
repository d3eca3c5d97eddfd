// Arithmetic on arrays from its definitions, in double. For tests, not for speed.
#include <cmath>

#include "kernels/elementwise.h"

namespace witan::kernels {
namespace {

void store(double value, float& sink, bool accumulate) {
  sink = static_cast<float>(value + (accumulate ? static_cast<double>(sink) : 0.0));
}

double wide(float x) { return static_cast<double>(x); }

}  // namespace

void add_reference(std::span<const float> a, std::span<const float> b, std::span<float> y) {
  for (std::size_t i = 0; i < y.size(); ++i) store(wide(a[i]) + wide(b[i]), y[i], false);
}

void scale_reference(std::span<const float> x, float factor, std::span<float> y, bool accumulate) {
  for (std::size_t i = 0; i < y.size(); ++i) store(wide(factor) * wide(x[i]), y[i], accumulate);
}

void multiply_reference(std::span<const float> a, std::span<const float> b, std::span<float> y, bool accumulate) {
  for (std::size_t i = 0; i < y.size(); ++i) store(wide(a[i]) * wide(b[i]), y[i], accumulate);
}

void fill_reference(float value, std::span<float> y, bool accumulate) {
  for (float& sink : y) store(wide(value), sink, accumulate);
}

void scale_rows_reference(ConstMatrix x, std::span<const float> factor, Matrix y, bool accumulate) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    const double f = wide(factor[static_cast<std::size_t>(r)]);
    for (std::int64_t c = 0; c < y.cols; ++c) store(f * wide(x(r, c)), y(r, c), accumulate);
  }
}

void row_dots_reference(ConstMatrix a, ConstMatrix b, std::span<float> y, bool accumulate) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    double dot = 0.0;
    for (std::int64_t c = 0; c < a.cols; ++c) dot += wide(a(r, c)) * wide(b(r, c));
    store(dot, y[static_cast<std::size_t>(r)], accumulate);
  }
}

void sigmoid_reference(std::span<const float> x, std::span<float> y) {
  for (std::size_t i = 0; i < y.size(); ++i) store(1.0 / (1.0 + std::exp(-wide(x[i]))), y[i], false);
}

void sigmoid_backward_reference(std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                                bool accumulate) {
  for (std::size_t i = 0; i < dx.size(); ++i) store(wide(dy[i]) * wide(y[i]) * (1.0 - wide(y[i])), dx[i], accumulate);
}

void tanh_reference(std::span<const float> x, std::span<float> y) {
  for (std::size_t i = 0; i < y.size(); ++i) store(std::tanh(wide(x[i])), y[i], false);
}

void tanh_backward_reference(std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                             bool accumulate) {
  for (std::size_t i = 0; i < dx.size(); ++i) store(wide(dy[i]) * (1.0 - wide(y[i]) * wide(y[i])), dx[i], accumulate);
}

double sum_reference(std::span<const float> x) {
  double total = 0.0;
  for (const float value : x) total += wide(value);
  return total;
}

double sum_of_squares_reference(std::span<const float> x) {
  double total = 0.0;
  for (const float value : x) total += wide(value) * wide(value);
  return total;
}

}  // namespace witan::kernels
