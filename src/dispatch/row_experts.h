// Who served a row: an assignment read by rows instead of by experts.
#pragma once

#include <cstdint>
#include <vector>

#include "witan/assignment.h"

namespace witan {

// The experts that served one row, first choice first, with their weights; empty when all its choices were dropped.
struct RowExperts {
  std::vector<std::int32_t> experts;
  std::vector<float> weights;
};

// One entry per row of the assignment.
std::vector<RowExperts> experts_by_row(const Assignment& assignment);

}  // namespace witan
