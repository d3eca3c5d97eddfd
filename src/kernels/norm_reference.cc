// The plain formulas of normalisation in double. For tests, not for speed.
#include <cmath>

#include "kernels/norm.h"

namespace witan::kernels {
namespace {

struct Statistics {
  double mean;
  double inverse_deviation;
};

Statistics rms_of(const float* x, std::int64_t width, float epsilon) {
  double squares = 0.0;
  for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  return {0.0, 1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon)};
}

Statistics deviation_of(const float* x, std::int64_t width, float epsilon) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < width; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(width);
  double squares = 0.0;
  for (std::int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon)};
}

// One vector: with n = (x - mean) * r and g = weight * dy, dx = r * (g - [mean(g)] - n * mean(g * n)); the term in
// brackets only when the mean was taken away.
void vector_backward(const float* dy, const float* x, const float* weight, std::int64_t width, Statistics s,
                     bool centred, float* dx, float* dweight, float* dbias) {
  double sum_g = 0.0;
  double sum_gn = 0.0;
  for (std::int64_t i = 0; i < width; ++i) {
    const double n = (x[i] - s.mean) * s.inverse_deviation;
    const double g = static_cast<double>(weight[i]) * dy[i];
    sum_g += g;
    sum_gn += g * n;
    dweight[i] += static_cast<float>(dy[i] * n);
    if (dbias != nullptr) dbias[i] += dy[i];
  }
  const double mean_g = centred ? sum_g / static_cast<double>(width) : 0.0;
  const double mean_gn = sum_gn / static_cast<double>(width);
  for (std::int64_t i = 0; i < width; ++i) {
    const double n = (x[i] - s.mean) * s.inverse_deviation;
    const double g = static_cast<double>(weight[i]) * dy[i];
    dx[i] = static_cast<float>(s.inverse_deviation * (g - mean_g - n * mean_gn));
  }
}

void clear(float* values, std::int64_t count) {
  for (std::int64_t i = 0; values != nullptr && i < count; ++i) values[i] = 0.0F;
}

}  // namespace

void rms_norm_reference(ConstMatrix x, const float* weight, std::int64_t width, float epsilon, Matrix y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t begin = 0; begin < x.cols; begin += width) {
      const float* in = x.row(r) + begin;
      const Statistics s = rms_of(in, width, epsilon);
      for (std::int64_t i = 0; i < width; ++i) {
        y(r, begin + i) = static_cast<float>(weight[i] * (in[i] * s.inverse_deviation));
      }
    }
  }
}

void rms_norm_backward_reference(ConstMatrix dy, ConstMatrix x, const float* weight, std::int64_t width, float epsilon,
                                 Matrix dx, float* dweight) {
  clear(dweight, width);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t begin = 0; begin < x.cols; begin += width) {
      const float* in = x.row(r) + begin;
      vector_backward(dy.row(r) + begin, in, weight, width, rms_of(in, width, epsilon), false, dx.row(r) + begin,
                      dweight, nullptr);
    }
  }
}

void layer_norm_reference(ConstMatrix x, const float* weight, const float* bias, float epsilon, Matrix y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const Statistics s = deviation_of(x.row(r), x.cols, epsilon);
    for (std::int64_t i = 0; i < x.cols; ++i) {
      const double n = (x(r, i) - s.mean) * s.inverse_deviation;
      y(r, i) = static_cast<float>(weight[i] * n + (bias == nullptr ? 0.0F : bias[i]));
    }
  }
}

void layer_norm_backward_reference(ConstMatrix dy, ConstMatrix x, const float* weight, float epsilon, Matrix dx,
                                   float* dweight, float* dbias) {
  clear(dweight, x.cols);
  clear(dbias, x.cols);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    vector_backward(dy.row(r), x.row(r), weight, x.cols, deviation_of(x.row(r), x.cols, epsilon), true, dx.row(r),
                    dweight, dbias);
  }
}

}  // namespace witan::kernels
