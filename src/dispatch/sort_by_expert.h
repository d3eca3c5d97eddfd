// From choices per row to an assignment by expert: capacity, then a counting sort. One thread: for 4096 rows and 8
// choices it takes a thousandth of what the experts take.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "autograd/tape.h"
#include "base/views.h"
#include "dispatch/capacity.h"
#include "dispatch/choices.h"
#include "dispatch/drop_policies.h"
#include "witan/assignment.h"

namespace witan {

struct DropRule {
  std::int64_t capacity = kUnlimitedCapacity;  // of each expert
  const DropPolicy* policy = nullptr;          // needed when the capacity is limited
  Random* random = nullptr;
  bool reroute = false;  // no token left behind: see serve_or_reroute
};

struct SortedChoices {
  std::shared_ptr<const Assignment> assignment;
  PooledVector<std::int32_t> slots;  // [num_assigned]: the slot of the choices that each entry came from
};

// One flag per slot, 1 when it is served; empty when no expert is asked for more than its capacity.
using ServedSlots = PooledVector<char>;
// Slot by slot in the order of the policy, each while its expert has room.
ServedSlots serve(const Choices& choices, std::span<const float> weights, const DropRule& drop);
// The same, but a choice whose expert is full becomes the row's next best expert that has room and that the row has not
// chosen, by `selection` [T, E]; -inf there is never chosen. What finds no room at all is not served. Fedus et al.
// 2021, appendix B ("no token left behind"), in one pass: a choice is rerouted at its turn, so that a policy that never
// looks at later rows stays so.
ServedSlots serve_or_reroute(Choices& choices, ConstMatrix selection, std::span<const float> weights,
                             const DropRule& drop);

// weights: one per slot of `choices`, finite where there is a choice. Entries of one expert stand by ascending row,
// dropped ones by ascending slot.
SortedChoices sort_served(const Choices& choices, std::span<const float> weights, const ServedSlots& served);
SortedChoices sort_by_expert(const Choices& choices, std::span<const float> weights, const DropRule& drop);

// values [any shape], slots [n] -> [n]: y[i] = values[slots[i]], with gradient. No slot occurs twice.
Tensor gather_slots(Tape& tape, const Tensor& values, PooledVector<std::int32_t> slots);

}  // namespace witan
