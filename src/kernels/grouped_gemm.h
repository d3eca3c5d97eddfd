// One matrix product per expert over the rows that an assignment gives it: forward, and backward to input and weight.
// Every expert's product is dense; nothing is padded.
#pragma once

#include <cstdint>
#include <span>

#include "base/bfloat16.h"
#include "base/float16.h"
#include "base/views.h"

namespace witan::kernels {

// Entries [offsets[e], offsets[e + 1]) belong to expert e. Entry a stands for row row_indices[a] of x, read in place,
// or for row a when row_indices is empty.
struct RowGroups {
  std::span<const std::int64_t> offsets;  // [E + 1], ascending from 0
  std::span<const std::int32_t> row_indices;

  std::int64_t num_experts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::int64_t num_entries() const { return offsets.back(); }
};

// One matrix [out, in] per expert, one after the other.
template <class T>
struct WeightBank {
  T* data = nullptr;
  std::int64_t out = 0;
  std::int64_t in = 0;
  // One of them in place of data, in forward passes.
  const BFloat16* bf16 = nullptr;
  const Float16* f16 = nullptr;
  MatrixView<T> of(std::int64_t expert) const { return {data + expert * out * in, out, in}; }
  MatrixView<const BFloat16> bf16_of(std::int64_t expert) const { return {bf16 + expert * out * in, out, in}; }
  MatrixView<const Float16> f16_of(std::int64_t expert) const { return {f16 + expert * out * in, out, in}; }
  bool present() const { return data != nullptr || bf16 != nullptr || f16 != nullptr; }
};

// y[a] = W[e] x[row of a]; y [num_entries, out].
void grouped_gemm(const RowGroups& groups, ConstMatrix x, WeightBank<const float> weight, Matrix y);

// dx[a] = W[e]' dy[a], one row per entry: dx [num_entries, in]. `groups.row_indices` is not used.
void grouped_gemm_backward_input(const RowGroups& groups, ConstMatrix dy, WeightBank<const float> weight, Matrix dx,
                                 bool accumulate);

// dW[e] = sum over the entries of e of dy[a] x[row of a]'; 0 for an expert without rows, unless accumulating.
void grouped_gemm_backward_weight(const RowGroups& groups, ConstMatrix dy, ConstMatrix x, WeightBank<float> d_weight,
                                  bool accumulate);

// The same with plain loops in double precision.
void grouped_gemm_reference(const RowGroups& groups, ConstMatrix x, WeightBank<const float> weight, Matrix y);
void grouped_gemm_backward_input_reference(const RowGroups& groups, ConstMatrix dy, WeightBank<const float> weight,
                                           Matrix dx, bool accumulate);
void grouped_gemm_backward_weight_reference(const RowGroups& groups, ConstMatrix dy, ConstMatrix x,
                                            WeightBank<float> d_weight, bool accumulate);

}  // namespace witan::kernels
