// The weights of an expert as the right operand of rows W' on the product engine.
#pragma once

#include "kernels/grouped_gemm.h"
#include "kernels/product.h"

namespace witan::kernels {

inline Factor weight_of(const WeightBank<const float>& bank, std::int64_t expert) {
  Factor factor{nullptr, bank.in, Factor::Layout::kSideMajor, nullptr};
  if (bank.bf16 != nullptr) {
    factor.bf16 = bank.bf16_of(expert).data;
  } else {
    factor.data = bank.of(expert).data;
  }
  return factor;
}

}  // namespace witan::kernels
