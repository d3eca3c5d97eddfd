// Values held within a symmetric interval.
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// Each element of x limited to [-limit, limit], limit > 0; NaN stays NaN. The gradient passes where x lies within.
Tensor clamp(Tape& tape, const Tensor& x, float limit);

}  // namespace witan::ops
