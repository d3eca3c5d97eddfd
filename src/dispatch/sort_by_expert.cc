// Capacity and counting sort.
#include "dispatch/sort_by_expert.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/index.h"

namespace witan {
namespace {

PooledVector<std::int64_t> requested_per_expert(const Choices& choices) {
  PooledVector<std::int64_t> counts(index(choices.num_experts), 0);
  for (const std::int32_t expert : choices.experts) {
    if (expert != kNoExpert) ++counts[index(expert)];
  }
  return counts;
}

bool exceeds(const Choices& choices, const DropRule& drop) {
  if (drop.capacity == kUnlimitedCapacity) return false;
  const PooledVector<std::int64_t> requested = requested_per_expert(choices);
  return *std::max_element(requested.begin(), requested.end()) > drop.capacity;
}

// Serves slots in the order of the policy; otherwise(slot, load) names another expert for a slot whose own is full, or
// kNoExpert.
template <class Otherwise>
ServedSlots serve_in_order(const Choices& choices, std::span<const float> weights, const DropRule& drop,
                           const Otherwise& otherwise) {
  WITAN_ASSERT(drop.policy != nullptr && weights.size() == choices.experts.size());
  PooledVector<std::int32_t> order(index(choices.num_slots()));
  drop.policy->order(choices, weights, drop.random, order);
  ServedSlots served(order.size(), 0);
  PooledVector<std::int64_t> load(index(choices.num_experts), 0);
  for (const std::int32_t slot : order) {
    std::int32_t expert = choices.experts[index(slot)];
    if (expert == kNoExpert) continue;
    if (load[index(expert)] == drop.capacity) expert = otherwise(slot, load);
    if (expert == kNoExpert) continue;
    ++load[index(expert)];
    served[index(slot)] = 1;
  }
  return served;
}

}  // namespace

ServedSlots serve(const Choices& choices, std::span<const float> weights, const DropRule& drop) {
  if (!exceeds(choices, drop)) return {};
  return serve_in_order(choices, weights, drop, [](std::int32_t, const auto&) { return kNoExpert; });
}

ServedSlots serve_or_reroute(Choices& choices, ConstMatrix selection, std::span<const float> weights,
                             const DropRule& drop) {
  if (!exceeds(choices, drop)) return {};
  const auto next_best = [&](std::int32_t slot, const PooledVector<std::int64_t>& load) {
    const std::int64_t row = slot / choices.experts_per_row;
    const auto chosen = choices.experts.begin() + row * choices.experts_per_row;
    std::int32_t best = kNoExpert;
    float best_score = -std::numeric_limits<float>::infinity();
    for (std::int32_t expert = 0; expert < choices.num_experts; ++expert) {
      if (selection(row, expert) <= best_score || load[index(expert)] == drop.capacity) continue;
      if (std::find(chosen, chosen + choices.experts_per_row, expert) != chosen + choices.experts_per_row) continue;
      best = expert;
      best_score = selection(row, expert);
    }
    if (best != kNoExpert) choices.experts[index(slot)] = best;
    return best;
  };
  return serve_in_order(choices, weights, drop, next_best);
}

SortedChoices sort_by_expert(const Choices& choices, std::span<const float> weights, const DropRule& drop) {
  return sort_served(choices, weights, serve(choices, weights, drop));
}

SortedChoices sort_served(const Choices& choices, std::span<const float> weights, const ServedSlots& served) {
  WITAN_ASSERT(index(choices.num_slots()) == choices.experts.size() && weights.size() == choices.experts.size());
  const bool drops = !served.empty();
  WITAN_ASSERT(!drops || served.size() == choices.experts.size());
  const auto assignment = std::allocate_shared<Assignment>(PoolAllocator<Assignment>());
  assignment->num_rows = choices.num_rows;
  assignment->num_experts = choices.num_experts;

  PooledVector<std::int64_t> loads = requested_per_expert(choices);
  for (std::size_t slot = 0; slot < served.size(); ++slot) {
    if (served[slot] == 0 && choices.experts[slot] != kNoExpert) --loads[index(choices.experts[slot])];
  }

  // Where the next entry of each expert goes.
  PooledVector<std::int64_t> next(index(choices.num_experts), 0);
  auto& offsets = assignment->expert_offsets;
  offsets.resize(index(choices.num_experts) + 1);
  offsets[0] = 0;
  for (std::size_t expert = 0; expert < loads.size(); ++expert) {
    next[expert] = offsets[expert];
    offsets[expert + 1] = offsets[expert] + loads[expert];
  }

  const std::size_t assigned = index(offsets.back());
  SortedChoices sorted{assignment, PooledVector<std::int32_t>(assigned)};
  assignment->row_indices.resize(assigned);
  assignment->combine_weights.resize(assigned);
  assignment->choice_ranks.resize(assigned);
  std::int32_t slot = 0;
  for (std::int32_t row = 0; row < choices.num_rows; ++row) {
    for (std::int32_t rank = 0; rank < choices.experts_per_row; ++rank, ++slot) {
      const std::int32_t expert = choices.experts[index(slot)];
      if (expert == kNoExpert) continue;
      if (drops && served[index(slot)] == 0) {
        assignment->dropped_rows.push_back(row);
        assignment->dropped_experts.push_back(expert);
        assignment->dropped_ranks.push_back(rank);
        continue;
      }
      const std::size_t entry = index(next[index(expert)]++);
      sorted.slots[entry] = slot;
      assignment->row_indices[entry] = row;
      assignment->combine_weights[entry] = weights[index(slot)];
      assignment->choice_ranks[entry] = rank;
    }
  }
  return sorted;
}

Tensor gather_slots(Tape& tape, const Tensor& values, PooledVector<std::int32_t> slots) {
  Tensor y = tape.output({static_cast<std::int64_t>(slots.size())}, {&values});
  for (std::size_t i = 0; i < slots.size(); ++i) y.values()[i] = values.values()[index(slots[i])];
  tape.record(y, [dy = y.grad(), dv = values.grad(), slots = std::move(slots)] {
    if (!dv.wanted()) return;
    const std::span<float> sum = dv.accumulator();
    const std::span<const float> given = dy.values();
    for (std::size_t i = 0; i < slots.size(); ++i) sum[index(slots[i])] += given[i];
  });
  return y;
}

}  // namespace witan
