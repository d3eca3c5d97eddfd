// Elementwise nonlinearities of feed-forward networks, and their gated forms, with derivatives.
#pragma once

#include <span>
#include <string_view>

#include "base/views.h"

namespace witan {

// Names as in Hugging Face configs: "silu", "gelu" (exact, erf), "gelu_pytorch_tanh", "relu", "quick_gelu"
// (x sigmoid(1.702 x)), "relu2" (the square of relu), "tanh".
enum class Activation { kSilu, kGelu, kGeluTanh, kRelu, kQuickGelu, kRelu2, kTanh };
Activation parse_activation(std::string_view name);  // throws Error with the known names
std::string_view activation_name(Activation activation);

namespace kernels {

// All spans of a call have one size. NaN gives NaN.

// y = act(x).
void activation(Activation kind, std::span<const float> x, std::span<float> y);
// dx = dy act'(x), or dx += that when `accumulate`. dx may be dy.
void activation_backward(Activation kind, std::span<const float> x, std::span<const float> dy, std::span<float> dx,
                         bool accumulate);

// h = act(gate) up.
void gated_activation(Activation kind, std::span<const float> gate, std::span<const float> up, std::span<float> h);

// Where a gradient goes: nowhere when data is null.
struct GradientTarget {
  float* data = nullptr;
  bool accumulate = false;
};
// d_gate = dh up act'(gate); d_up = dh act(gate). A target may be the memory of dh.
void gated_activation_backward(Activation kind, std::span<const float> gate, std::span<const float> up,
                               std::span<const float> dh, GradientTarget d_gate, GradientTarget d_up);

// The same for a block of a larger matrix while it is in the cache of the calling thread: no other thread is used. All
// matrices of a call have one shape.
void activation_block(Activation kind, ConstMatrix x, Matrix y);                           // y may be x
void gated_activation_block(Activation kind, ConstMatrix gate, ConstMatrix up, Matrix h);  // h may be gate or up
// In place: what entered the forward pass becomes its gradient, and the gradient dy of the result becomes the result.
void activation_backward_block(Activation kind, Matrix x, Matrix dy);
void gated_activation_backward_block(Activation kind, Matrix gate, Matrix up, Matrix dh);

// One value with its derivative, by the C library in double precision.
struct ValueAndSlope {
  double value;
  double slope;
};
ValueAndSlope activation_reference(Activation kind, double x);

}  // namespace kernels
}  // namespace witan
