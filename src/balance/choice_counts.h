// How often each expert was chosen, over all rows of a batch or sequence by sequence. Balance losses are made of these.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"
#include "witan/assignment.h"

namespace witan {

// Which choices are counted per expert.
struct CountRule {
  bool dropped_too = true;  // also those that capacity refused
  bool first_only = false;  // only each row's first choice
};

struct ChoiceCounts {
  PooledVector<double> per_expert;  // [E], by the rule
  double counted = 0.0;             // choices by the rule, had none been dropped
  double requested = 0.0;           // choices of all ranks, served or not
  double rows = 0.0;                // that are not masked

  void add(const ChoiceCounts& other);
  // f_e * E for every expert, with f_e = per_expert / counted: 1 everywhere at perfect balance. 0 without choices.
  PooledVector<double> relative_load() const;
  double choices_per_row() const { return rows == 0.0 ? 0.0 : requested / rows; }
};

// How the rows of a batch are cut into sequences of equal length; the last may be shorter.
struct Sequences {
  // rows_per_sequence = 0: one sequence.
  Sequences(std::int64_t num_rows, std::int64_t rows_per_sequence);
  std::int64_t of(std::int64_t row) const { return row / length; }

  std::int64_t length;
  std::int64_t count;
};

// One ChoiceCounts per sequence. row_mask as in RouterContext.
PooledVector<ChoiceCounts> count_choices(const Assignment& assignment, const Sequences& sequences, CountRule rule,
                                         std::span<const std::uint8_t> row_mask);

}  // namespace witan
