// Scaling of a positive matrix to uniform marginals: Sinkhorn and Knopp 1967.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"
#include "base/views.h"

namespace witan {

struct SinkhornOptions {
  float tolerance = 1e-4F;  // of a column's sum, over what it should be
  std::int64_t max_rounds = 200;
};

// plan[t, e] = rows[t] kernel[t, e] columns[e]: row sums are 1 / T', column sums 1 / E within the tolerance, unless
// rounds ran out. Factors stay within 1e-20 and 1e20, so that columns whose entries all vanish do no harm.
struct SinkhornScaling {
  PooledVector<float> rows;     // [T], 0 for a masked row
  PooledVector<float> columns;  // [E]
  float residual = 0.0F;        // of the worst column, over what it should be
  std::int64_t rounds = 0;
};

// kernel [T, E], each row with a positive entry; row_mask as in RouterContext.
SinkhornScaling sinkhorn_scaling(ConstMatrix kernel, std::span<const std::uint8_t> row_mask,
                                 const SinkhornOptions& options);

}  // namespace witan
