// Attention as the textbook writes it, row by row in double. For tests, not for speed.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention.h"

namespace witan::kernels {
namespace {

double dot(const float* a, const float* b, std::int64_t count) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Softmax over the keys up to its own that query i of head h sees, and the sink: [0, i] without the sink's share.
void probabilities(const AttentionSizes& sizes, const float* q, std::int64_t h, ConstMatrix k, std::int64_t first_key,
                   std::vector<double>& p) {
  const double none = -std::numeric_limits<double>::infinity();
  const auto position = static_cast<std::int64_t>(p.size()) - 1;
  const double sink = sizes.sinks == nullptr ? none : sizes.sinks[h];
  double top = sink;
  for (std::int64_t j = 0; j <= position; ++j) {
    const float* key = k.row(first_key + j) + h / sizes.group() * sizes.head_dim;
    double& score = p[static_cast<std::size_t>(j)];
    score = j < sizes.first_seen(position) ? none : sizes.scale * dot(q, key, sizes.head_dim);
    top = std::max(top, score);
  }
  double sum = std::exp(sink - top);
  for (double& value : p) sum += value = std::exp(value - top);
  for (double& value : p) value /= sum;
}

}  // namespace

void attention_reference(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out) {
  const std::int64_t dim = sizes.head_dim;
  for (std::int64_t b = 0; b < sizes.batch; ++b) {
    for (std::int64_t h = 0; h < sizes.heads; ++h) {
      const std::int64_t kv_at = h / sizes.group() * dim;
      for (std::int64_t i = 0; i < sizes.queries; ++i) {
        const std::int64_t row = b * sizes.queries + i;
        std::vector<double> p(static_cast<std::size_t>(sizes.keys - sizes.queries + i + 1));
        probabilities(sizes, q.row(row) + h * dim, h, k, b * sizes.keys, p);
        for (std::int64_t c = 0; c < dim; ++c) {
          double sum = 0.0;
          for (std::size_t j = 0; j < p.size(); ++j) {
            sum += p[j] * v(b * sizes.keys + static_cast<std::int64_t>(j), kv_at + c);
          }
          out(row, h * dim + c) = static_cast<float>(sum);
        }
      }
    }
  }
}

void attention_backward_reference(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k,
                                  ConstMatrix v, Matrix dq, Matrix dk, Matrix dv) {
  const std::int64_t dim = sizes.head_dim;
  std::vector<double> dk_sum(static_cast<std::size_t>(k.rows * k.cols), 0.0);
  std::vector<double> dv_sum(dk_sum.size(), 0.0);
  std::vector<double> dq_sum(static_cast<std::size_t>(dim));
  for (std::int64_t b = 0; b < sizes.batch; ++b) {
    for (std::int64_t h = 0; h < sizes.heads; ++h) {
      const std::int64_t kv_at = h / sizes.group() * dim;
      for (std::int64_t i = 0; i < sizes.queries; ++i) {
        const std::int64_t row = b * sizes.queries + i;
        const float* q_row = q.row(row) + h * dim;
        const float* dout_row = dout.row(row) + h * dim;
        std::vector<double> p(static_cast<std::size_t>(sizes.keys - sizes.queries + i + 1));
        probabilities(sizes, q_row, h, k, b * sizes.keys, p);
        std::vector<double> dp(p.size());
        double mean = 0.0;
        for (std::size_t j = 0; j < p.size(); ++j) {
          dp[j] = dot(dout_row, v.row(b * sizes.keys + static_cast<std::int64_t>(j)) + kv_at, dim);
          mean += p[j] * dp[j];
        }
        std::fill(dq_sum.begin(), dq_sum.end(), 0.0);
        for (std::size_t j = 0; j < p.size(); ++j) {
          const std::int64_t key = b * sizes.keys + static_cast<std::int64_t>(j);
          const double ds = sizes.scale * p[j] * (dp[j] - mean);
          for (std::int64_t c = 0; c < dim; ++c) {
            const auto at = static_cast<std::size_t>(key * k.cols + kv_at + c);
            dq_sum[static_cast<std::size_t>(c)] += ds * k(key, kv_at + c);
            dk_sum[at] += ds * q_row[c];
            dv_sum[at] += p[j] * dout_row[c];
          }
        }
        for (std::int64_t c = 0; c < dim; ++c) {
          dq(row, h * dim + c) = static_cast<float>(dq_sum[static_cast<std::size_t>(c)]);
        }
      }
    }
  }
  for (std::int64_t r = 0; r < k.rows; ++r) {
    for (std::int64_t c = 0; c < k.cols; ++c) {
      dk(r, c) = static_cast<float>(dk_sum[static_cast<std::size_t>(r * k.cols + c)]);
      dv(r, c) = static_cast<float>(dv_sum[static_cast<std::size_t>(r * k.cols + c)]);
    }
  }
}

}  // namespace witan::kernels
