// All first choices in row order, then all second ones, and so on (Lepikhin et al. 2020, algorithm 1). With several
// choices per row, a later row's first choice can displace an earlier row's second.
#include "dispatch/drop_policies.h"

namespace witan {
namespace {

void first_choices_first(const Choices& choices, std::span<const float>, Random*, std::span<std::int32_t> slots) {
  std::size_t next = 0;
  for (std::int64_t rank = 0; rank < choices.experts_per_row; ++rank) {
    for (std::int64_t row = 0; row < choices.num_rows; ++row) {
      slots[next++] = static_cast<std::int32_t>(row * choices.experts_per_row + rank);
    }
  }
}

}  // namespace

DropPolicy choice_drop_policy() {
  return {
      .name = "choice",
      .summary = "all first choices in row order, then all second ones, ... (GShard)",
      .causal_safe = [](std::int64_t experts_per_row) { return experts_per_row == 1; },
      .order = first_choices_first,
  };
}

}  // namespace witan
