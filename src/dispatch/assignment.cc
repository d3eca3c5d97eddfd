// The rules that every assignment keeps.
#include "witan/assignment.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace witan {

void Assignment::validate() const {
  WITAN_ASSERT(num_rows >= 0 && num_experts > 0);
  const std::size_t assigned = row_indices.size();
  WITAN_ASSERT(expert_offsets.size() == static_cast<std::size_t>(num_experts) + 1);
  WITAN_ASSERT(combine_weights.size() == assigned && choice_ranks.size() == assigned);
  WITAN_ASSERT(dropped_experts.size() == dropped_rows.size() && dropped_ranks.size() == dropped_rows.size());
  WITAN_ASSERT(expert_offsets.front() == 0 && expert_offsets.back() == num_assigned());
  WITAN_ASSERT(std::is_sorted(expert_offsets.begin(), expert_offsets.end()));
  WITAN_ASSERT(std::all_of(combine_weights.begin(), combine_weights.end(), [](float w) { return std::isfinite(w); }));
  WITAN_ASSERT(std::all_of(choice_ranks.begin(), choice_ranks.end(), [](std::int32_t rank) { return rank >= 0; }));

  const auto valid_row = [this](std::int32_t row) { return row >= 0 && row < num_rows; };
  WITAN_ASSERT(std::all_of(row_indices.begin(), row_indices.end(), valid_row));
  WITAN_ASSERT(std::all_of(dropped_rows.begin(), dropped_rows.end(), valid_row));

  // Which expert met each row last: one pass over the experts finds a row that meets one twice.
  PooledVector<std::int32_t> last_expert(static_cast<std::size_t>(num_rows), -1);
  for (std::int64_t expert = 0; expert < num_experts; ++expert) {
    for (const std::int32_t row : rows_of(expert)) {
      std::int32_t& last = last_expert[static_cast<std::size_t>(row)];
      WITAN_ASSERT(last != expert);
      last = static_cast<std::int32_t>(expert);
    }
  }
  WITAN_ASSERT(std::all_of(dropped_experts.begin(), dropped_experts.end(),
                           [this](std::int32_t expert) { return expert >= 0 && expert < num_experts; }));
}

}  // namespace witan
