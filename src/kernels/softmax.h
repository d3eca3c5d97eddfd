// Softmax and log-sum-exp of rows, forward and backward, and the entropy of rows of probabilities. The row's largest
// entry is taken away first, so that any finite row is safe. An entry of -inf has weight 0; NaN or +inf makes the whole
// row NaN.
#pragma once

#include "base/views.h"

namespace witan::kernels {

// y = exp(x) / sum(exp(x)) of each row; y may be x. A row of nothing but -inf has no softmax (a router that masked
// every expert): Bug. Rows without columns are left alone.
void softmax(ConstMatrix x, Matrix y);
// dx = y * (dy - sum(dy * y)); adds with `accumulate`.
void softmax_backward(ConstMatrix dy, ConstMatrix y, Matrix dx, bool accumulate);

// result [rows] = log(sum(exp(x))) of each row; -inf for a row of nothing but -inf, or without columns.
void log_sum_exp(ConstMatrix x, float* result);
// dx = dresult * exp(x - result), 0 where result is -inf; adds with `accumulate`.
void log_sum_exp_backward(const float* dresult, ConstMatrix x, const float* result, Matrix dx, bool accumulate);

// result [rows] = -sum(p log p) of each row of probabilities, in nats; 0 log 0 = 0. p is finite and not negative.
void row_entropy(ConstMatrix p, float* result);

// The same from plain loops in double; finite rows only.
void softmax_reference(ConstMatrix x, Matrix y);
void log_sum_exp_reference(ConstMatrix x, float* result);
void row_entropy_reference(ConstMatrix p, float* result);

}  // namespace witan::kernels
