// From compressed rows by expert to lists by row.
#include "dispatch/row_experts.h"

#include <algorithm>
#include <tuple>

namespace witan {

std::vector<RowExperts> experts_by_row(const Assignment& assignment) {
  struct Entry {
    std::int32_t rank;
    std::int32_t expert;
    float weight;
  };
  std::vector<std::vector<Entry>> entries(static_cast<std::size_t>(assignment.num_rows));
  for (std::int64_t expert = 0; expert < assignment.num_experts; ++expert) {
    auto entry = static_cast<std::size_t>(assignment.expert_offsets[static_cast<std::size_t>(expert)]);
    for (const std::int32_t row : assignment.rows_of(expert)) {
      entries.at(static_cast<std::size_t>(row))
          .push_back(
              {assignment.choice_ranks[entry], static_cast<std::int32_t>(expert), assignment.combine_weights[entry]});
      ++entry;
    }
  }
  std::vector<RowExperts> rows(entries.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::sort(entries[row].begin(), entries[row].end(),
              [](const Entry& a, const Entry& b) { return std::tie(a.rank, a.expert) < std::tie(b.rank, b.expert); });
    for (const Entry& entry : entries[row]) {
      rows[row].experts.push_back(entry.expert);
      rows[row].weights.push_back(entry.weight);
    }
  }
  return rows;
}

}  // namespace witan
