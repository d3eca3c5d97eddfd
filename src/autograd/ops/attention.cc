// Attention ops: shape checks, then the kernels.
#include "autograd/ops/attention.h"

#include <cmath>
#include <numbers>

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "base/parallel.h"
#include "kernels/attention.h"

namespace witan::ops {
namespace {

void check_heads(const char* where, const AttentionShape& shape, const Tensor& sinks) {
  if (shape.heads < 1 || shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0) {
    fail("{}: kv_heads={} must divide heads={}", where, shape.kv_heads, shape.heads);
  }
  if (shape.head_dim < 1) fail("{}: head_dim={} must be at least 1", where, shape.head_dim);
  if (shape.window < 0) fail("{}: window={} must not be negative", where, shape.window);
  if (sinks.defined() && sinks.shape() != Shape{shape.heads}) {
    fail("{}: sinks={}, expected one per head, [{}]", where, sinks.shape().to_string(), shape.heads);
  }
}

float scale_of(const AttentionShape& shape) {
  return shape.scale != 0.0F ? shape.scale : 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
}

// The sink's score s has the gradient -p_s (dout . out), p_s = exp(s) over the sum of the row's exponentials.
void sinks_backward(const kernels::AttentionSizes& sizes, ConstMatrix dout, ConstMatrix out, const float* statistics,
                    std::span<float> sum) {
  parallel_for(sizes.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      const double score = sizes.sinks[h] * std::numbers::log2e;
      for (std::int64_t row = 0; row < out.rows; ++row) {
        const std::int64_t of_head = (row / sizes.queries * sizes.heads + h) * sizes.queries + row % sizes.queries;
        const double share = std::exp2(score - statistics[2 * of_head]) * statistics[2 * of_head + 1];
        double product = 0.0;
        for (std::int64_t c = h * sizes.head_dim; c < (h + 1) * sizes.head_dim; ++c) {
          product += dout(row, c) * out(row, c);
        }
        sum[static_cast<std::size_t>(h)] -= static_cast<float>(share * product);
      }
    }
  });
}

}  // namespace

Tensor attention(Tape& tape, const Tensor& q, const Tensor& k, const Tensor& v, const AttentionShape& shape,
                 const Tensor& sinks) {
  check_heads("attention", shape, sinks);
  if (shape.batch < 0 || shape.sequence < 0) {
    fail("attention: batch={} and sequence={} must not be negative", shape.batch, shape.sequence);
  }
  const std::int64_t rows = shape.batch * shape.sequence;
  const Shape expected_q{rows, shape.heads * shape.head_dim};
  const Shape expected_kv{rows, shape.kv_heads * shape.head_dim};
  if (q.shape() != expected_q || k.shape() != expected_kv || v.shape() != expected_kv) {
    fail(
        "attention: q={} k={} v={} do not fit batch={} sequence={} heads={} kv_heads={} head_dim={}: expected q={} and "
        "k, v={}",
        q.shape().to_string(), k.shape().to_string(), v.shape().to_string(), shape.batch, shape.sequence, shape.heads,
        shape.kv_heads, shape.head_dim, expected_q.to_string(), expected_kv.to_string());
  }
  const kernels::AttentionSizes sizes{shape.batch,    shape.sequence,  shape.sequence, shape.heads, shape.kv_heads,
                                      shape.head_dim, scale_of(shape), shape.window,   sinks.data()};
  Tensor out = tape.output(q.shape(), {&q, &k, &v, &sinks});
  const Tensor statistics =
      out.requires_grad() ? Tensor::uninitialized({shape.batch, shape.heads, shape.sequence, 2}) : Tensor();
  kernels::attention(sizes, q.matrix(), k.matrix(), v.matrix(), out.matrix(), statistics.data());
  tape.record(out, [sizes, dout = out.grad(), dq = q.grad(), dk = k.grad(), dv = v.grad(), q = q.detached(),
                    k = k.detached(), v = v.detached(), out = out.detached(), statistics,
                    sinks = sinks.defined() ? sinks.detached() : Tensor(), dsinks = sinks.grad()] {
    if (dsinks.wanted()) {
      sinks_backward(sizes, dout.matrix(), out.matrix(), statistics.data(), dsinks.accumulator());
    }
    // In the order of the kernel: they are the same memory when one tensor is two of q, k and v.
    const kernels::GradientView dk_sink = matrix_sink(dk);
    const kernels::GradientView dv_sink = matrix_sink(dv);
    const kernels::GradientView dq_sink = matrix_sink(dq);
    kernels::attention_backward(sizes, dout.matrix(), q.matrix(), k.matrix(), v.matrix(), out.matrix(),
                                statistics.data(), dq_sink, dk_sink, dv_sink);
  });
  return out;
}

Tensor attention_with_cache(const Tensor& q, ConstMatrix keys, ConstMatrix values, const AttentionShape& shape,
                            const Tensor& sinks) {
  check_heads("attention_with_cache", shape, sinks);
  const std::int64_t kv_width = shape.kv_heads * shape.head_dim;
  if (q.shape().rank() != 2 || q.cols() != shape.heads * shape.head_dim || keys.cols != kv_width ||
      values.cols != kv_width || keys.rows != values.rows || keys.rows < q.rows()) {
    fail(
        "attention_with_cache: q={} keys=[{}, {}] values=[{}, {}] do not fit heads={} kv_heads={} head_dim={}: "
        "expected "
        "q [n, {}] and at least n rows of {} keys and values",
        q.shape().to_string(), keys.rows, keys.cols, values.rows, values.cols, shape.heads, shape.kv_heads,
        shape.head_dim, shape.heads * shape.head_dim, kv_width);
  }
  const kernels::AttentionSizes sizes{
      1, q.rows(), keys.rows, shape.heads, shape.kv_heads, shape.head_dim, scale_of(shape), shape.window, sinks.data()};
  Tensor out = Tensor::uninitialized(q.shape());
  kernels::attention(sizes, q.matrix(), keys, values, out.matrix(), nullptr);
  return out;
}

}  // namespace witan::ops
