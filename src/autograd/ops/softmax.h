// Softmax of each row, and the log of its normaliser.
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// x [T, E] -> [T, E], rows sum to 1. Safe for any finite input; -inf is weight 0.
Tensor softmax(Tape& tape, const Tensor& x);
// x [T, E] -> [T].
Tensor log_sum_exp(Tape& tape, const Tensor& x);

}  // namespace witan::ops
