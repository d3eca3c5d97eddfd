// Checks and gradient of the embedding.
#include "autograd/ops/embedding.h"

#include "base/error.h"
#include "kernels/embedding.h"

namespace witan::ops {

Tensor embedding(Tape& tape, const Tensor& table, std::span<const std::int32_t> ids) {
  if (table.shape().rank() != 2) fail("embedding: table {} is not [V, D]", table.shape().to_string());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] < 0 || ids[t] >= table.dim(0)) {
      fail("embedding: id {} at position {} is outside [0, {})", ids[t], t, table.dim(0));
    }
  }
  Tensor y = tape.output({static_cast<std::int64_t>(ids.size()), table.dim(1)}, {&table});
  table.visit_matrix([&](const auto& rows) { kernels::gather_rows(rows, ids, y.matrix()); });
  tape.record(y, [dy = y.grad(), dtable = table.grad(), kept = PooledVector<std::int32_t>(ids.begin(), ids.end())] {
    const auto sink = dtable.sink();
    kernels::scatter_add_rows(dy.matrix(), kept, dtable.matrix(), sink.accumulate);
  });
  return y;
}

}  // namespace witan::ops
