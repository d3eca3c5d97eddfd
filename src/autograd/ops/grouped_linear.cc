// Linear map per expert: grouped products forward and back.
#include "autograd/ops/grouped_linear.h"

#include "autograd/ops/weight_bank.h"
#include "base/error.h"
#include "kernels/bias.h"
#include "kernels/grouped_gemm.h"
#include "kernels/scatter.h"

namespace witan::ops {
namespace {

void check_shapes(const Tensor& x, const Assignment& assignment, bool gather, const Tensor& weight,
                  const Tensor& bias) {
  const std::int64_t rows = gather ? assignment.num_rows : assignment.num_assigned();
  if (weight.shape().rank() != 3 || weight.dim(0) != assignment.num_experts || x.shape().rank() != 2 ||
      x.rows() != rows || x.cols() != weight.dim(2)) {
    fail(
        "grouped_linear: x {} and weight {} do not fit {} experts with {} rows, expected x [rows, in] and weight "
        "[experts, out, in]",
        x.shape().to_string(), weight.shape().to_string(), assignment.num_experts, rows);
  }
  if (bias.defined() && bias.shape() != Shape{weight.dim(0), weight.dim(1)}) {
    fail("grouped_linear: bias {} does not fit weight {}, expected [experts, out]", bias.shape().to_string(),
         weight.shape().to_string());
  }
}

// Rows of expert e within a matrix of one row per entry.
Matrix rows_of(const Assignment& assignment, std::int64_t expert, Matrix matrix) {
  return {matrix.row(assignment.expert_offsets[static_cast<std::size_t>(expert)]), assignment.load(expert), matrix.cols,
          matrix.stride};
}

}  // namespace

Tensor grouped_linear(Tape& tape, const Tensor& x, const Assignment& assignment, bool gather, const Tensor& weight,
                      const Tensor& bias) {
  check_shapes(x, assignment, gather, weight, bias);
  const std::int64_t out = weight.dim(1);
  const std::int64_t in = weight.dim(2);
  kernels::RowGroups groups{assignment.expert_offsets, {}};
  if (gather) groups.row_indices = assignment.row_indices;

  Tensor y = tape.output({assignment.num_assigned(), out}, {&x, &weight, &bias});
  kernels::grouped_gemm(groups, x.matrix(), weight_bank(weight), y.matrix());
  if (bias.defined()) {
    for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
      kernels::add_row({bias.data() + e * out, static_cast<std::size_t>(out)}, rows_of(assignment, e, y.matrix()));
    }
  }

  tape.record(
      y, [x = weight.requires_grad() ? x : Tensor(), weight = x.requires_grad() ? weight : Tensor(), dx = x.grad(),
          d_weight = weight.grad(), d_bias = bias.grad(), dy = y.grad(), groups, &assignment, out, in] {
        const Matrix upstream = dy.matrix();
        if (dx.wanted() && groups.row_indices.empty()) {
          const auto sink = dx.sink();
          kernels::grouped_gemm_backward_input(groups, upstream, {weight.data(), out, in},
                                               {sink.data, upstream.rows, in}, sink.accumulate);
        } else if (dx.wanted()) {
          const Tensor per_entry = Tensor::uninitialized({upstream.rows, in});
          kernels::grouped_gemm_backward_input(groups, upstream, {weight.data(), out, in}, per_entry.matrix(), false);
          const auto sink = dx.sink();
          kernels::sum_entries(kernels::entries_by_row(groups.row_indices, assignment.num_rows), per_entry.matrix(), {},
                               dx.matrix(), sink.accumulate);
        }
        if (d_weight.wanted()) {
          const auto sink = d_weight.sink();
          kernels::grouped_gemm_backward_weight(groups, upstream, x.matrix(), {sink.data, out, in}, sink.accumulate);
        }
        if (d_bias.wanted()) {
          const auto sink = d_bias.sink();
          for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
            kernels::sum_rows(rows_of(assignment, e, upstream), {sink.data + e * out, static_cast<std::size_t>(out)},
                              sink.accumulate);
          }
        }
      });
  return y;
}

}  // namespace witan::ops
