// The grouped products expert by expert, on gathered copies, with the reference product.
#include <algorithm>

#include "base/pool.h"
#include "kernels/gemm.h"
#include "kernels/grouped_gemm.h"

namespace witan::kernels {
namespace {

struct GatheredRows {
  PooledVector<float> values;
  ConstMatrix matrix;
};

GatheredRows gather(const RowGroups& groups, std::int64_t expert, ConstMatrix x) {
  const std::int64_t begin = groups.offsets[static_cast<std::size_t>(expert)];
  const std::int64_t count = groups.offsets[static_cast<std::size_t>(expert) + 1] - begin;
  GatheredRows rows;
  rows.values.resize(static_cast<std::size_t>(count * x.cols));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row =
        groups.row_indices.empty() ? begin + i : groups.row_indices[static_cast<std::size_t>(begin + i)];
    std::copy_n(x.row(row), x.cols, rows.values.data() + i * x.cols);
  }
  rows.matrix = {rows.values.data(), count, x.cols};
  return rows;
}

template <class T>
MatrixView<T> rows_of(const RowGroups& groups, std::int64_t expert, MatrixView<T> matrix) {
  const std::int64_t begin = groups.offsets[static_cast<std::size_t>(expert)];
  return {matrix.row(begin), groups.offsets[static_cast<std::size_t>(expert) + 1] - begin, matrix.cols, matrix.stride};
}

}  // namespace

void grouped_gemm_reference(const RowGroups& groups, ConstMatrix x, WeightBank<const float> weight, Matrix y) {
  for (std::int64_t e = 0; e < groups.num_experts(); ++e) {
    const auto rows = gather(groups, e, x);
    if (weight.bf16 != nullptr) {
      gemm_reference(rows.matrix, weight.bf16_of(e), rows_of(groups, e, y));
    } else if (weight.f16 != nullptr) {
      gemm_reference(rows.matrix, weight.f16_of(e), rows_of(groups, e, y));
    } else {
      gemm_reference(Op::kPlain, Op::kTransposed, rows.matrix, weight.of(e), 0.0F, rows_of(groups, e, y));
    }
  }
}

void grouped_gemm_backward_input_reference(const RowGroups& groups, ConstMatrix dy, WeightBank<const float> weight,
                                           Matrix dx, bool accumulate) {
  for (std::int64_t e = 0; e < groups.num_experts(); ++e) {
    gemm_reference(Op::kPlain, Op::kPlain, rows_of(groups, e, dy), weight.of(e), accumulate ? 1.0F : 0.0F,
                   rows_of(groups, e, dx));
  }
}

void grouped_gemm_backward_weight_reference(const RowGroups& groups, ConstMatrix dy, ConstMatrix x,
                                            WeightBank<float> d_weight, bool accumulate) {
  for (std::int64_t e = 0; e < groups.num_experts(); ++e) {
    gemm_reference(Op::kTransposed, Op::kPlain, rows_of(groups, e, dy), gather(groups, e, x).matrix,
                   accumulate ? 1.0F : 0.0F, d_weight.of(e));
  }
}

}  // namespace witan::kernels
