// Weighted sum over the entries of each row.
#include "dispatch/combine.h"

#include "base/error.h"
#include "kernels/scatter.h"

namespace witan {

Tensor combine(Tape& tape, const Tensor& expert_outputs, const Tensor& combine_weights, const Assignment& assignment) {
  const std::int64_t entries = assignment.num_assigned();
  if (expert_outputs.shape().rank() != 2 || expert_outputs.rows() != entries ||
      combine_weights.shape() != Shape{entries}) {
    fail("combine: expert_outputs {} and combine_weights {} do not fit an assignment of {} entries",
         expert_outputs.shape().to_string(), combine_weights.shape().to_string(), entries);
  }
  Tensor y = tape.output({assignment.num_rows, expert_outputs.cols()}, {&expert_outputs, &combine_weights});
  kernels::sum_entries(kernels::entries_by_row(assignment.row_indices, assignment.num_rows), expert_outputs.matrix(),
                       combine_weights.values(), y.matrix(), false);
  tape.record(y, [outputs = combine_weights.requires_grad() ? expert_outputs : Tensor(), weights = combine_weights,
                  d_outputs = expert_outputs.grad(), dy = y.grad(), &assignment] {
    if (weights.requires_grad()) {
      const auto sink = weights.grad().sink();
      kernels::dot_rows(assignment.row_indices, outputs.matrix(), dy.matrix(), weights.grad().values(),
                        sink.accumulate);
    }
    if (d_outputs.wanted()) {
      const auto sink = d_outputs.sink();
      kernels::spread_rows(assignment.row_indices, dy.matrix(), weights.values(), d_outputs.matrix(), sink.accumulate);
    }
  });
  return y;
}

}  // namespace witan
