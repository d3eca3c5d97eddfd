// The fractional assignment of the largest total benefit, solved by CLP: the yardstick of the balanced routers.
#pragma once

#include <cstdint>

#include "base/pool.h"
#include "base/views.h"

namespace witan {

struct ProgramSolution {
  PooledVector<float> shares;  // [T, E], x in [0, 1]; 0 or 1 but for rounding: a vertex of the program is integral
  double objective = 0.0;
};

// Maximises sum benefits x over 0 <= x <= 1, rows summing to k, columns to `capacity` at the most. benefits [T, E] are
// finite, k <= E and E capacity >= k T.
ProgramSolution solve_assignment_program(ConstMatrix benefits, std::int64_t k, std::int64_t capacity);

}  // namespace witan
