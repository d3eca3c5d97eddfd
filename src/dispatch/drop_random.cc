// Slots in random order in training, so that late rows are not the ones that always lose. In evaluation nothing is
// drawn: earlier rows first.
#include <numeric>
#include <utility>

#include "dispatch/drop_policies.h"

namespace witan {

DropPolicy random_drop_policy() {
  return {
      .name = "random",
      .summary = "in training in random order, in evaluation as `position`",
      .causal_safe = [](std::int64_t) { return false; },
      .order =
          [](const Choices&, std::span<const float>, Random* random, std::span<std::int32_t> slots) {
            std::iota(slots.begin(), slots.end(), 0);
            if (random == nullptr) return;
            for (std::size_t i = slots.size(); i > 1; --i) std::swap(slots[i - 1], slots[random->below(i)]);
          },
  };
}

}  // namespace witan
