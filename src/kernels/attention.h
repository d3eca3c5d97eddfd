// Causal attention with grouped keys, forward and backward, without a matrix of queries x keys: scores are made block
// by block and made again backwards from two numbers per row (Dao et al. 2022, algorithms 1 and 4). Raw views;
// no projections, no position embedding, no cache policy.
#pragma once

#include <cstdint>

#include "base/views.h"
#include "kernels/gradient_view.h"

namespace witan::kernels {

// `batch` sequences, each of `queries` rows that are the last of `keys` positions: query i sees keys
// 0 .. keys - queries + i, or the last `window` of them. In training queries = keys.
struct AttentionSizes {
  std::int64_t batch = 1;
  std::int64_t queries = 0;
  std::int64_t keys = 0;  // at least queries
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;  // divides heads; query head h reads key head h / (heads / kv_heads)
  std::int64_t head_dim = 1;
  float scale = 1.0F;            // of the scores before the softmax
  std::int64_t window = 0;       // a query sees its own position and the window - 1 before it; 0: all before it
  const float* sinks = nullptr;  // [heads], or null: a score per head that joins the softmax and has no value (gpt-oss)

  std::int64_t group() const { return heads / kv_heads; }
  // The first position that a query at `position` sees.
  std::int64_t first_seen(std::int64_t position) const {
    return window > 0 && position >= window ? position - window + 1 : 0;
  }
};

// q [batch * queries, heads * head_dim], k and v [batch * keys, kv_heads * head_dim], out like q.
// statistics [batch * heads * queries, 2] receives, for the backward pass, a score t near the largest of each row and 1
// over the sum of 2^(score - t), with scores scaled and in units of ln 2; may be null. The two are kept apart where Dao
// et al. keep the log-sum-exp t + log(sum), which cannot hold the sum beside a large t. Finite scores of any size are
// safe; a NaN makes NaN of the rows that see it. What a row does not see never changes its bits, nor do threads.
void attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out, float* statistics);

// Gradients of sum(dout * out) but that of the sinks. out and statistics are those of attention(). dk, dv and dq may be
// the same memory when all but the first, in this order, accumulate. Same bits for the same number of threads.
void attention_backward(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                        ConstMatrix out, const float* statistics, GradientView dq, GradientView dk, GradientView dv);

// The same from plain loops in double; the gradients are overwritten. For tests.
void attention_reference(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out);
void attention_backward_reference(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k,
                                  ConstMatrix v, Matrix dq, Matrix dk, Matrix dv);

}  // namespace witan::kernels
