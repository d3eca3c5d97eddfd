// How uneven a few numbers are: the squared coefficient of variation, of which balance losses are made.
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// x [n] -> scalar Var(x) / (mean(x)^2 + 1e-10) with the population variance; 0 for n = 1. Shazeer et al. 2017,
// equations 6 and 11. No square root is taken, whose gradient at equal numbers would be NaN. Double precision inside.
Tensor squared_variation(Tape& tape, const Tensor& x);

}  // namespace witan::ops
