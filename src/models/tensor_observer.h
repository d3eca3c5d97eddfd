// A look into a pass: tensors by name, as they are computed.
#pragma once

#include <functional>
#include <string>

#include "autograd/tensor.h"

namespace witan {

// A decoder calls it with "embedding" [T, D], of every layer N "layers.N.attention" [T, D] (what
// attention adds, before any norm behind it and any factor), "layers.N.moe.router" [T, E] (the gate's scores, if the
// router has a gate) and "layers.N.moe.output" [T, D], or "layers.N.mlp.output" of a dense layer, "layers.N.output" [T,
// D] (the residual stream), and at last "final_norm" [T, D]. An encoder-decoder puts "encoder." or "decoder." before
// these names; layers of its decoder have "layers.N.cross_attention" too.
using TensorObserver = std::function<void(const std::string& name, const Tensor& tensor)>;

}  // namespace witan
