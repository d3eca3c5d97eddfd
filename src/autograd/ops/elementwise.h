// Sums and products of tensors of one shape.
#pragma once

#include <span>

#include "autograd/tape.h"

namespace witan::ops {

Tensor add(Tape& tape, const Tensor& a, const Tensor& b);
Tensor multiply(Tape& tape, const Tensor& a, const Tensor& b);
Tensor scale(Tape& tape, const Tensor& x, float factor);
// x times the only element of `factor`: a learned scale.
Tensor scale_by(Tape& tape, const Tensor& x, const Tensor& factor);
// x [T, D] times factor [T], row by row.
Tensor scale_rows(Tape& tape, const Tensor& x, const Tensor& factor);
Tensor sigmoid(Tape& tape, const Tensor& x);
Tensor tanh(Tape& tape, const Tensor& x);
// Sum of scalars, each times its weight: the training objective.
Tensor weighted_sum(Tape& tape, std::span<const Tensor> scalars, std::span<const float> weights);
// Mean over all elements -> scalar. Double precision inside.
Tensor mean(Tape& tape, const Tensor& x);

}  // namespace witan::ops
