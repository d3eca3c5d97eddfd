// Normalisation of rows: the loops over rows and threads.
#include "kernels/norm.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
namespace {

// Elements worth a thread.
constexpr std::int64_t kGrainElements = 1 << 14;
// Sums over rows are made of at most this many partial sums, whatever the number of threads.
constexpr std::int64_t kMaxPieces = 64;

std::int64_t row_grain(std::int64_t cols) {
  return std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(cols, 1));
}

float inverse_root_mean_square(const float* x, std::int64_t width, float epsilon) {
  float squares = 0.0F;
  for (std::int64_t i = 0; i < width; ++i) squares += x[i] * x[i];
  return 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
}

struct Moments {
  float mean;
  float inverse_deviation;
};

Moments moments(const float* x, std::int64_t width, float epsilon) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < width; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(width);
  double squares = 0.0;
  for (std::int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {static_cast<float>(mean),
          static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon))};
}

// One vector: with n = (x - mean) * r and g = weight * dy, dx = r * (g - [mean(g)] - n * mean(g * n)); the term in
// brackets only when the mean was taken away. dweight and dbias are added to.
void vector_backward(const float* dy, const float* x, const float* weight, std::int64_t width, Moments m, bool centred,
                     float* dx, bool accumulate_dx, float* dweight, float* dbias) {
  float sum_g = 0.0F;
  float sum_gn = 0.0F;
  for (std::int64_t i = 0; i < width; ++i) {
    const float n = (x[i] - m.mean) * m.inverse_deviation;
    sum_g += weight[i] * dy[i];
    sum_gn += weight[i] * dy[i] * n;
    if (dweight != nullptr) dweight[i] += dy[i] * n;
    if (dbias != nullptr) dbias[i] += dy[i];
  }
  if (dx == nullptr) return;
  const float mean_g = centred ? sum_g / static_cast<float>(width) : 0.0F;
  const float mean_gn = sum_gn / static_cast<float>(width);
  for (std::int64_t i = 0; i < width; ++i) {
    const float n = (x[i] - m.mean) * m.inverse_deviation;
    const float value = m.inverse_deviation * (weight[i] * dy[i] - mean_g - n * mean_gn);
    dx[i] = accumulate_dx ? dx[i] + value : value;
  }
}

// Calls rows(begin, end, dweight, dbias) on pieces of the rows; the pieces' sums of `width` elements are added up in
// order afterwards.
template <class Rows>
void sum_over_rows(std::int64_t count, std::int64_t cols, std::int64_t width, GradientRow dweight, GradientRow dbias,
                   const Rows& rows) {
  const std::int64_t length = std::max((count + kMaxPieces - 1) / kMaxPieces, row_grain(cols));
  const std::int64_t pieces = (count + length - 1) / length;
  const std::int64_t size = pieces * width;
  PooledVector<float> weight_sums(static_cast<std::size_t>(dweight.wanted() ? size : 0));
  PooledVector<float> bias_sums(static_cast<std::size_t>(dbias.wanted() ? size : 0));
  parallel_for(pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      rows(piece * length, std::min(count, (piece + 1) * length),
           dweight.wanted() ? weight_sums.data() + piece * width : nullptr,
           dbias.wanted() ? bias_sums.data() + piece * width : nullptr);
    }
  });
  const auto add_up = [&](const PooledVector<float>& sums, GradientRow out) {
    if (!out.wanted()) return;
    if (!out.accumulate) std::fill_n(out.data, width, 0.0F);
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      for (std::int64_t i = 0; i < width; ++i) out.data[i] += sums[static_cast<std::size_t>(piece * width + i)];
    }
  };
  add_up(weight_sums, dweight);
  add_up(bias_sums, dbias);
}

}  // namespace

void rms_norm(ConstMatrix x, const float* weight, std::int64_t width, float epsilon, Matrix y, float* inverse_rms) {
  WITAN_ASSERT(width > 0 && x.cols % width == 0 && y.rows == x.rows && y.cols == x.cols && epsilon > 0.0F);
  const std::int64_t groups = x.cols / width;
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t group = 0; group < groups; ++group) {
        const float* in = x.row(r) + group * width;
        float* out = y.row(r) + group * width;
        const float inverse = inverse_root_mean_square(in, width, epsilon);
        for (std::int64_t i = 0; i < width; ++i) out[i] = weight[i] * (in[i] * inverse);
        if (inverse_rms != nullptr) inverse_rms[r * groups + group] = inverse;
      }
    }
  });
}

void rms_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, std::int64_t width, const float* inverse_rms,
                       GradientView dx, GradientRow dweight) {
  WITAN_ASSERT(width > 0 && x.cols % width == 0 && dy.rows == x.rows && dy.cols == x.cols);
  const std::int64_t groups = x.cols / width;
  sum_over_rows(
      x.rows, x.cols, width, dweight, {}, [&](std::int64_t begin, std::int64_t end, float* weight_sum, float*) {
        for (std::int64_t r = begin; r < end; ++r) {
          for (std::int64_t group = 0; group < groups; ++group) {
            const std::int64_t at = group * width;
            vector_backward(dy.row(r) + at, x.row(r) + at, weight, width, {0.0F, inverse_rms[r * groups + group]},
                            false, dx.wanted() ? dx.matrix.row(r) + at : nullptr, dx.accumulate, weight_sum, nullptr);
          }
        }
      });
}

void layer_norm(ConstMatrix x, const float* weight, const float* bias, float epsilon, Matrix y, float* mean,
                float* inverse_deviation) {
  WITAN_ASSERT(x.cols > 0 && y.rows == x.rows && y.cols == x.cols && epsilon > 0.0F);
  parallel_for(x.rows, row_grain(x.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Moments m = moments(x.row(r), x.cols, epsilon);
      for (std::int64_t i = 0; i < x.cols; ++i) {
        y(r, i) = weight[i] * ((x(r, i) - m.mean) * m.inverse_deviation) + (bias == nullptr ? 0.0F : bias[i]);
      }
      if (mean != nullptr) mean[r] = m.mean;
      if (inverse_deviation != nullptr) inverse_deviation[r] = m.inverse_deviation;
    }
  });
}

void layer_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, const float* mean,
                         const float* inverse_deviation, GradientView dx, GradientRow dweight, GradientRow dbias) {
  WITAN_ASSERT(x.cols > 0 && dy.rows == x.rows && dy.cols == x.cols);
  sum_over_rows(x.rows, x.cols, x.cols, dweight, dbias,
                [&](std::int64_t begin, std::int64_t end, float* weight_sum, float* bias_sum) {
                  for (std::int64_t r = begin; r < end; ++r) {
                    vector_backward(dy.row(r), x.row(r), weight, x.cols, {mean[r], inverse_deviation[r]}, true,
                                    dx.wanted() ? dx.matrix.row(r) : nullptr, dx.accumulate, weight_sum, bias_sum);
                  }
                });
}

}  // namespace witan::kernels
