// The largest weights first, whatever their row or rank: each expert keeps the rows that want it most.
#include <algorithm>
#include <numeric>

#include "dispatch/drop_policies.h"

namespace witan {

DropPolicy probability_drop_policy() {
  return {
      .name = "probability",
      .summary = "the largest weights first",
      .causal_safe = [](std::int64_t) { return false; },
      .order =
          [](const Choices&, std::span<const float> weights, Random*, std::span<std::int32_t> slots) {
            std::iota(slots.begin(), slots.end(), 0);
            std::stable_sort(slots.begin(), slots.end(), [&](std::int32_t a, std::int32_t b) {
              return weights[static_cast<std::size_t>(a)] > weights[static_cast<std::size_t>(b)];
            });
          },
  };
}

}  // namespace witan
