// Root-mean-square and layer normalisation of rows, forward and backward. Raw views; no model knowledge.
//
// Statistics are summed in f32 lanes; a row whose squares overflow f32 (|x| above about 1e19) is summed again in
// double, so that finite rows always give finite results. A row so small that its squares vanish is divided by
// sqrt(epsilon). Sums over rows (weight gradients) are cut into pieces by row count alone: the same bits with any
// number of threads.
#pragma once

#include <cstdint>

#include "base/views.h"
#include "kernels/gradient_view.h"

namespace witan::kernels {

// Every row of x [rows, groups * width] is `groups` vectors, each normalised alone:
// y = weight * x / sqrt(mean(x^2) + epsilon), weight [width]. Zhang & Sennrich 2019, eq. 4.
// inverse_rms [rows * groups] receives 1 / sqrt(mean(x^2) + epsilon), for the backward pass; may be null.
// y may be x. epsilon > 0.
void rms_norm(ConstMatrix x, const float* weight, std::int64_t width, float epsilon, Matrix y, float* inverse_rms);

void rms_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, std::int64_t width, const float* inverse_rms,
                       GradientView dx, GradientRow dweight);

// y = weight * (x - mean) / sqrt(variance + epsilon) + bias of each row, variance with 1 / cols. Ba et al. 2016, eq. 4.
// bias may be null. mean and inverse_deviation [rows] may be null. y may be x. epsilon > 0.
void layer_norm(ConstMatrix x, const float* weight, const float* bias, float epsilon, Matrix y, float* mean,
                float* inverse_deviation);

void layer_norm_backward(ConstMatrix dy, ConstMatrix x, const float* weight, const float* mean,
                         const float* inverse_deviation, GradientView dx, GradientRow dweight, GradientRow dbias);

// The same results from plain loops in double, for tests.
void rms_norm_reference(ConstMatrix x, const float* weight, std::int64_t width, float epsilon, Matrix y);
void rms_norm_backward_reference(ConstMatrix dy, ConstMatrix x, const float* weight, std::int64_t width, float epsilon,
                                 Matrix dx, float* dweight);
void layer_norm_reference(ConstMatrix x, const float* weight, const float* bias, float epsilon, Matrix y);
void layer_norm_backward_reference(ConstMatrix dy, ConstMatrix x, const float* weight, float epsilon, Matrix dx,
                                   float* dweight, float* dbias);

}  // namespace witan::kernels
