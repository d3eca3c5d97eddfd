// The gated unit of gpt-oss: SwiGLU with a steeper sigmoid, clamped operands and a 1 added to the linear one.
#pragma once

#include "autograd/tape.h"

namespace witan::ops {

// g sigmoid(1.702 g) (u + 1) with g = min(gate, limit) and u = up held within +-limit; limit > 0. Shapes are equal. The
// gradient passes where nothing was clamped. OpenAI 2025 (gpt-oss model card, section 2.2; reference implementation).
Tensor clamped_swiglu(Tape& tape, const Tensor& gate, const Tensor& up, float limit);

}  // namespace witan::ops
