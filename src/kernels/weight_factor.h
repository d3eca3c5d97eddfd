// The weights of an expert as the right operand of rows W' on the product engine.
#pragma once

#include "kernels/grouped_gemm.h"
#include "kernels/product.h"

namespace witan::kernels {

inline Factor weight_of(const WeightBank<const float>& bank, std::int64_t expert) {
  if (bank.bf16 != nullptr) return {.stride = bank.in, .bf16 = bank.bf16_of(expert).data};
  if (bank.f16 != nullptr) return {.stride = bank.in, .f16 = bank.f16_of(expert).data};
  return {.data = bank.of(expert).data, .stride = bank.in};
}

}  // namespace witan::kernels
