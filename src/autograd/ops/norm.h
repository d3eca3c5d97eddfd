// Normalisation of each row. Statistics in f32.
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// y = weight * x / sqrt(mean(x^2) + epsilon) over the last `weight.numel()` elements: x [.., n * W], weight [W] -> like
// x. With n > 1 each of the n groups is normalised alone (QK-norm per head). Zhang & Sennrich 2019.
Tensor rms_norm(Tape& tape, const Tensor& x, const Tensor& weight, float epsilon);

// y = weight * (x - mean) / sqrt(var + epsilon) + bias over the last dimension; bias may be undefined. Ba et al. 2016.
Tensor layer_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon);

// y = x / |x| over the last dimension; a row of zeros stays zero.
Tensor unit_norm(Tape& tape, const Tensor& x);

}  // namespace witan::ops
