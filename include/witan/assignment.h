// Which rows go to which expert, with which weight: the one data structure between routers and experts.
// Nothing downstream knows which router ran.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"

namespace witan {

// Compressed sparse rows, by expert. Entry a in [expert_offsets[e], expert_offsets[e+1]) says that row row_indices[a]
// goes to expert e with weight combine_weights[a]; entries of one expert stand in the order in which its rows are
// served (ascending rows, unless the router says otherwise). A row may go to no expert (its output is 0) or to several,
// but to one expert once at the most.
struct Assignment {
  std::int64_t num_rows = 0;
  std::int64_t num_experts = 0;
  PooledVector<std::int64_t> expert_offsets;  // [num_experts + 1]
  PooledVector<std::int32_t> row_indices;     // [num_assigned]
  PooledVector<float> combine_weights;        // [num_assigned], finite
  // Position of each entry among its row's choices, 0 = first choice: [num_assigned].
  PooledVector<std::int32_t> choice_ranks;

  // What capacity took away: (row, expert, rank) that were chosen and not served. routed + dropped = requested.
  PooledVector<std::int32_t> dropped_rows;
  PooledVector<std::int32_t> dropped_experts;
  PooledVector<std::int32_t> dropped_ranks;

  std::int64_t num_assigned() const { return static_cast<std::int64_t>(row_indices.size()); }
  std::int64_t num_dropped() const { return static_cast<std::int64_t>(dropped_rows.size()); }
  std::int64_t load(std::int64_t expert) const {
    return expert_offsets[static_cast<std::size_t>(expert) + 1] - expert_offsets[static_cast<std::size_t>(expert)];
  }
  std::span<const std::int32_t> rows_of(std::int64_t expert) const {
    return {row_indices.data() + expert_offsets[static_cast<std::size_t>(expert)],
            static_cast<std::size_t>(load(expert))};
  }

  // Throws Bug when the sizes of the arrays disagree, offsets fall or do not span the entries, an index is out of
  // range, a weight is not finite, or a row meets one expert twice.
  void validate() const;
};

}  // namespace witan
