// Earlier rows first: all choices of a row are served before those of the next one. Never looks at later rows.
#include <numeric>

#include "dispatch/drop_policies.h"

namespace witan {

DropPolicy position_drop_policy() {
  return {
      .name = "position",
      .summary = "earlier rows first, each with all its choices",
      .causal_safe = [](std::int64_t) { return true; },
      .order = [](const Choices&, std::span<const float>, Random*,
                  std::span<std::int32_t> slots) { std::iota(slots.begin(), slots.end(), 0); },
  };
}

}  // namespace witan
