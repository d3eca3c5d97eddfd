// Elementwise nonlinearities, and their gated forms.
#pragma once

#include <string_view>

#include "autograd/tape.h"

namespace witan {

// Names as in Hugging Face configs: "silu", "gelu" (exact, erf), "gelu_pytorch_tanh", "relu".
enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };
Activation parse_activation(std::string_view name);  // throws Error with the known names
std::string_view activation_name(Activation activation);

namespace ops {

Tensor activation(Tape& tape, const Tensor& x, Activation kind);
// act(gate) * up, elementwise: SwiGLU with kSilu (Shazeer 2020).
Tensor gated_activation(Tape& tape, const Tensor& gate, const Tensor& up, Activation kind);

}  // namespace ops
}  // namespace witan
