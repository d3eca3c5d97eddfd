// Column statistics and normalisation, in blocks of columns.
#include "autograd/ops/batch_norm.h"

#include <cmath>

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::ops {
namespace {

constexpr std::int64_t kColumnGrain = 32;

bool counts(std::span<const std::uint8_t> row_mask, std::int64_t row) {
  return row_mask.empty() || row_mask[index(row)] != 0;
}

std::int64_t counted_rows(std::int64_t rows, std::span<const std::uint8_t> row_mask) {
  std::int64_t counted = 0;
  for (std::int64_t t = 0; t < rows; ++t) counted += counts(row_mask, t) ? 1 : 0;
  return counted;
}

}  // namespace

ColumnStatistics column_statistics(const Tensor& x, std::span<const std::uint8_t> row_mask) {
  const std::int64_t cols = x.cols();
  ColumnStatistics statistics{Tensor::zeros({cols}), Tensor::full({cols}, 1.0F)};
  const std::int64_t counted = counted_rows(x.rows(), row_mask);
  if (counted == 0) return statistics;
  parallel_for(cols, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      double sum = 0.0;
      for (std::int64_t t = 0; t < x.rows(); ++t) {
        if (counts(row_mask, t)) sum += static_cast<double>(x.matrix()(t, c));
      }
      const double mean = sum / static_cast<double>(counted);
      double squares = 0.0;
      for (std::int64_t t = 0; t < x.rows(); ++t) {
        const double centred = static_cast<double>(x.matrix()(t, c)) - mean;
        if (counts(row_mask, t)) squares += centred * centred;
      }
      statistics.mean.values()[index(c)] = static_cast<float>(mean);
      statistics.variance.values()[index(c)] = static_cast<float>(squares / static_cast<double>(counted));
    }
  });
  return statistics;
}

Tensor batch_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const ColumnStatistics& statistics, bool of_batch, std::span<const std::uint8_t> row_mask,
                  float epsilon) {
  const Shape columns{x.cols()};
  if (x.shape().rank() != 2 || weight.shape() != columns || bias.shape() != columns ||
      statistics.mean.shape() != columns || statistics.variance.shape() != columns) {
    fail("batch_norm: x {}, weight {}, bias {} and statistics {} do not fit: expected [T, C] and [C]",
         x.shape().to_string(), weight.shape().to_string(), bias.shape().to_string(),
         statistics.mean.shape().to_string());
  }
  Tensor y = tape.output(x.shape(), {&x, &weight, &bias});
  const Tensor normalized = Tensor::uninitialized(x.shape());
  const Tensor inverse = Tensor::uninitialized(columns);
  parallel_for(x.cols(), kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      inverse.values()[index(c)] = 1.0F / std::sqrt(statistics.variance.values()[index(c)] + epsilon);
    }
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (std::int64_t c = begin; c < end; ++c) {
        const float value = (x.matrix()(t, c) - statistics.mean.values()[index(c)]) * inverse.values()[index(c)];
        normalized.matrix()(t, c) = value;
        y.matrix()(t, c) = weight.values()[index(c)] * value + bias.values()[index(c)];
      }
    }
  });
  tape.record(y, [normalized, inverse, weight = weight.detached(), of_batch,
                  mask = PooledVector<std::uint8_t>(row_mask.begin(), row_mask.end()), dy = y.grad(), dx = x.grad(),
                  d_weight = weight.grad(), d_bias = bias.grad()] {
    const Matrix given = dy.matrix();
    const kernels::GradientView x_sink = matrix_sink(dx, normalized.shape());
    const std::span<float> weight_sums = d_weight.wanted() ? d_weight.accumulator() : std::span<float>();
    const std::span<float> bias_sums = d_bias.wanted() ? d_bias.accumulator() : std::span<float>();
    const auto counted = static_cast<double>(counted_rows(given.rows, mask));
    parallel_for(given.cols, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t c = begin; c < end; ++c) {
        double sum = 0.0;  // of dy, over all rows; a counted row's share flows back through the statistics
        double dots = 0.0;
        for (std::int64_t t = 0; t < given.rows; ++t) {
          sum += static_cast<double>(given(t, c));
          dots += static_cast<double>(given(t, c)) * static_cast<double>(normalized.matrix()(t, c));
        }
        if (!weight_sums.empty()) weight_sums[index(c)] += static_cast<float>(dots);
        if (!bias_sums.empty()) bias_sums[index(c)] += static_cast<float>(sum);
        if (!x_sink.wanted()) continue;
        const double slope =
            static_cast<double>(weight.values()[index(c)]) * static_cast<double>(inverse.values()[index(c)]);
        for (std::int64_t t = 0; t < given.rows; ++t) {
          auto value = static_cast<double>(given(t, c));
          if (of_batch && counts(mask, t)) {
            value -= (sum + static_cast<double>(normalized.matrix()(t, c)) * dots) / counted;
          }
          float& at = x_sink.matrix(t, c);
          at = static_cast<float>(slope * value) + (x_sink.accumulate ? at : 0.0F);
        }
      }
    });
  });
  return y;
}

}  // namespace witan::ops
