// Weights of experts as the kernels take them.
#pragma once

#include "autograd/tensor.h"
#include "kernels/grouped_gemm.h"

namespace witan::ops {

// weight [experts, out, in], in any precision.
inline kernels::WeightBank<const float> weight_bank(const Tensor& weight) {
  if (weight.is_bf16()) return {nullptr, weight.dim(1), weight.dim(2), weight.bf16_values().data()};
  if (!weight.is_f32()) return {nullptr, weight.dim(1), weight.dim(2), nullptr, weight.f16_values().data()};
  return {weight.data(), weight.dim(1), weight.dim(2)};
}

}  // namespace witan::ops
