// From choices per row to an assignment by expert: capacity, then a counting sort. One thread: for 4096 rows and 8
// choices it takes a thousandth of what the experts take.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "autograd/tape.h"
#include "dispatch/capacity.h"
#include "dispatch/choices.h"
#include "dispatch/drop_policies.h"
#include "witan/assignment.h"

namespace witan {

struct DropRule {
  std::int64_t capacity = kUnlimitedCapacity;  // of each expert
  const DropPolicy* policy = nullptr;          // needed when the capacity is limited
  Random* random = nullptr;
};

struct SortedChoices {
  std::shared_ptr<const Assignment> assignment;
  PooledVector<std::int32_t> slots;  // [num_assigned]: the slot of the choices that each entry came from
};

// weights: one per slot of `choices`, finite where there is a choice. Entries of one expert stand by ascending row,
// dropped ones by ascending slot.
SortedChoices sort_by_expert(const Choices& choices, std::span<const float> weights, const DropRule& drop);

// values [any shape], slots [n] -> [n]: y[i] = values[slots[i]], with gradient. No slot occurs twice.
Tensor gather_slots(Tape& tape, const Tensor& values, PooledVector<std::int32_t> slots);

}  // namespace witan
