// Causal attention with grouped keys, forward and backward, without a matrix of queries x keys: scores are made block
// by block and made again backwards from the log-sum-exp of each row (Dao et al. 2022, algorithms 1 and 4). Raw views;
// no projections, no position embedding, no cache policy.
#pragma once

#include <cstdint>

#include "base/views.h"
#include "kernels/gradient_view.h"

namespace witan::kernels {

// `batch` sequences, each of `queries` rows that are the last of `keys` positions: query i sees keys
// 0 .. keys - queries + i. In training queries = keys.
struct AttentionSizes {
  std::int64_t batch = 1;
  std::int64_t queries = 0;
  std::int64_t keys = 0;  // at least queries
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;  // divides heads; query head h reads key head h / (heads / kv_heads)
  std::int64_t head_dim = 1;
  float scale = 1.0F;  // of the scores before the softmax

  std::int64_t group() const { return heads / kv_heads; }
};

// q [batch * queries, heads * head_dim], k and v [batch * keys, kv_heads * head_dim], out like q.
// log_sum_exp [batch * heads * queries] receives log(sum(exp(scale * score))) for the backward pass; may be null.
// Finite scores of any size are safe. The bits of a row depend on what it sees and on nothing else.
void attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out,
               float* log_sum_exp);

// Gradients of sum(dout * out). out and log_sum_exp are those of attention(). dq, dk and dv may be the same memory when
// all but the first, in this order, accumulate. Same bits for the same number of threads.
void attention_backward(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                        ConstMatrix out, const float* log_sum_exp, GradientView dq, GradientView dk, GradientView dv);

// The same from plain loops in double; the gradients are overwritten. For tests.
void attention_reference(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out,
                         float* log_sum_exp);
void attention_backward_reference(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k,
                                  ConstMatrix v, Matrix dq, Matrix dk, Matrix dv);

}  // namespace witan::kernels
