// Batch-prioritised: rows by their largest weight, descending; all first choices in that order, then all second ones.
// Riquelme et al. 2021 (V-MoE), section 4.
#include <algorithm>
#include <numeric>

#include "dispatch/drop_policies.h"

namespace witan {
namespace {

void surest_rows_first(const Choices& choices, std::span<const float> weights, Random*, std::span<std::int32_t> slots) {
  const auto width = static_cast<std::size_t>(choices.experts_per_row);
  const auto rows = static_cast<std::size_t>(choices.num_rows);
  PooledVector<float> largest(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::span<const float> own = weights.subspan(row * width, width);
    largest[row] = *std::max_element(own.begin(), own.end());
  }
  PooledVector<std::int32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return largest[static_cast<std::size_t>(a)] > largest[static_cast<std::size_t>(b)];
  });
  std::size_t next = 0;
  for (std::size_t rank = 0; rank < width; ++rank) {
    for (const std::int32_t row : order) {
      slots[next++] = static_cast<std::int32_t>(static_cast<std::size_t>(row) * width + rank);
    }
  }
}

}  // namespace

DropPolicy priority_drop_policy() {
  return {
      .name = "priority",
      .summary = "rows by their largest weight, all first choices before all second ones (V-MoE)",
      .causal_safe = [](std::int64_t) { return false; },
      .order = surest_rows_first,
  };
}

}  // namespace witan
