// What token-choice routers decide before capacity has its say: the experts that each row asks for, best first.
#pragma once

#include <cstdint>

#include "base/pool.h"

namespace witan {

constexpr std::int32_t kNoExpert = -1;

// Slot row * experts_per_row + rank holds the choice number `rank` (0 = first) of a row. A row may make fewer choices,
// or none: its last slots then hold kNoExpert.
struct Choices {
  std::int64_t num_rows = 0;
  std::int64_t num_experts = 0;
  std::int64_t experts_per_row = 0;
  PooledVector<std::int32_t> experts;  // [num_rows * experts_per_row], an expert at most once per row

  std::int64_t num_slots() const { return num_rows * experts_per_row; }
};

}  // namespace witan
