// y = x W' + b, with the weight as checkpoints store it: [out, in].
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// x [.., in], weight [out, in], bias [out] or undefined -> [.., out]. Throws Error when the widths differ.
Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace witan::ops
