// Attention, one query row at a time in f32: a row of scores is the most that is ever held.
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
namespace {

float dot(const float* a, const float* b, std::int64_t count) {
  float sum = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void check(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v) {
  WITAN_ASSERT(sizes.batch >= 0 && sizes.queries >= 0 && sizes.keys >= sizes.queries && sizes.head_dim > 0);
  WITAN_ASSERT(sizes.kv_heads > 0 && sizes.heads % sizes.kv_heads == 0);
  WITAN_ASSERT(q.rows == sizes.batch * sizes.queries && q.cols == sizes.heads * sizes.head_dim);
  WITAN_ASSERT(k.rows == sizes.batch * sizes.keys && k.cols == sizes.kv_heads * sizes.head_dim);
  WITAN_ASSERT(v.rows == k.rows && v.cols == k.cols);
}

void add_scaled(float* out, float factor, const float* in, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += factor * in[i];
}

void clear_unless_accumulating(const GradientView& gradient) {
  if (!gradient.wanted() || gradient.accumulate) return;
  for (std::int64_t r = 0; r < gradient.matrix.rows; ++r) {
    std::fill_n(gradient.matrix.row(r), gradient.matrix.cols, 0.0F);
  }
}

}  // namespace

void attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out,
               float* log_sum_exp) {
  check(sizes, q, k, v);
  const std::int64_t dim = sizes.head_dim;
  parallel_for(sizes.batch * sizes.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> p(static_cast<std::size_t>(sizes.keys));
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t b = task / sizes.heads;
      const std::int64_t h = task % sizes.heads;
      const std::int64_t kv_at = h / sizes.group() * dim;
      for (std::int64_t i = 0; i < sizes.queries; ++i) {
        const std::int64_t row = b * sizes.queries + i;
        const std::int64_t seen = sizes.keys - sizes.queries + i + 1;
        float* scores = p.data();
        for (std::int64_t j = 0; j < seen; ++j) {
          scores[j] = sizes.scale * dot(q.row(row) + h * dim, k.row(b * sizes.keys + j) + kv_at, dim);
        }
        const float top = *std::max_element(scores, scores + seen);
        float sum = 0.0F;
        for (std::int64_t j = 0; j < seen; ++j) sum += scores[j] = std::exp(scores[j] - top);
        float* result = out.row(row) + h * dim;
        std::fill_n(result, dim, 0.0F);
        for (std::int64_t j = 0; j < seen; ++j) {
          add_scaled(result, scores[j] / sum, v.row(b * sizes.keys + j) + kv_at, dim);
        }
        if (log_sum_exp != nullptr) log_sum_exp[task * sizes.queries + i] = top + std::log(sum);
      }
    }
  });
}

void attention_backward(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                        ConstMatrix out, const float* log_sum_exp, GradientView dq, GradientView dk, GradientView dv) {
  check(sizes, q, k, v);
  clear_unless_accumulating(dq);
  clear_unless_accumulating(dk);
  clear_unless_accumulating(dv);
  const std::int64_t dim = sizes.head_dim;
  parallel_for(sizes.batch * sizes.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t b = task / sizes.kv_heads;
      const std::int64_t kv_at = task % sizes.kv_heads * dim;
      for (std::int64_t member = 0; member < sizes.group(); ++member) {
        const std::int64_t h = task % sizes.kv_heads * sizes.group() + member;
        for (std::int64_t i = 0; i < sizes.queries; ++i) {
          const std::int64_t row = b * sizes.queries + i;
          const std::int64_t at = h * dim;
          const float* dout_row = dout.row(row) + at;
          const float mean = dot(dout_row, out.row(row) + at, dim);
          const float lse = log_sum_exp[(b * sizes.heads + h) * sizes.queries + i];
          for (std::int64_t j = 0; j < sizes.keys - sizes.queries + i + 1; ++j) {
            const std::int64_t key = b * sizes.keys + j;
            const float p = std::exp(sizes.scale * dot(q.row(row) + at, k.row(key) + kv_at, dim) - lse);
            const float ds = sizes.scale * p * (dot(dout_row, v.row(key) + kv_at, dim) - mean);
            if (dq.wanted()) add_scaled(dq.matrix.row(row) + at, ds, k.row(key) + kv_at, dim);
            if (dk.wanted()) add_scaled(dk.matrix.row(key) + kv_at, ds, q.row(row) + at, dim);
            if (dv.wanted()) add_scaled(dv.matrix.row(key) + kv_at, p, dout_row, dim);
          }
        }
      }
    }
  });
}

}  // namespace witan::kernels
