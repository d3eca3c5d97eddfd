// Elementwise nonlinearities, and their gated forms.
#pragma once

#include "autograd/tape.h"
#include "kernels/activation.h"

namespace witan::ops {

Tensor activation(Tape& tape, const Tensor& x, Activation kind);
// act(gate) * up, elementwise: SwiGLU with kSilu (Shazeer 2020).
Tensor gated_activation(Tape& tape, const Tensor& gate, const Tensor& up, Activation kind);

}  // namespace witan::ops
