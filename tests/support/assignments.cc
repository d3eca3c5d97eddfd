// Assignments for tests.
#include "support/assignments.h"

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace witan::test {

Assignment assignment_of(std::span<const std::vector<std::int32_t>> choices, std::int64_t num_experts,
                         std::uint64_t seed) {
  Assignment assignment;
  assignment.num_rows = static_cast<std::int64_t>(choices.size());
  assignment.num_experts = num_experts;
  assignment.expert_offsets.push_back(0);
  Random random(seed);
  for (std::int32_t expert = 0; expert < num_experts; ++expert) {
    for (std::size_t row = 0; row < choices.size(); ++row) {
      const auto found = std::find(choices[row].begin(), choices[row].end(), expert);
      if (found == choices[row].end()) continue;
      assignment.row_indices.push_back(static_cast<std::int32_t>(row));
      assignment.choice_ranks.push_back(static_cast<std::int32_t>(found - choices[row].begin()));
      assignment.combine_weights.push_back(1.0F - random.uniform());
    }
    assignment.expert_offsets.push_back(assignment.num_assigned());
  }
  return assignment;
}

Assignment random_assignment(std::int64_t num_rows, std::int64_t num_experts, std::int64_t top_k, std::uint64_t seed) {
  Random random(seed, 1);
  std::vector<std::vector<std::int32_t>> choices(static_cast<std::size_t>(num_rows));
  for (std::vector<std::int32_t>& chosen : choices) {
    while (static_cast<std::int64_t>(chosen.size()) < top_k) {
      const float drawn = random.uniform();
      const auto expert = static_cast<std::int32_t>(drawn * drawn * static_cast<float>(num_experts));
      if (std::find(chosen.begin(), chosen.end(), expert) == chosen.end()) chosen.push_back(expert);
    }
  }
  return assignment_of(choices, num_experts, seed);
}

}  // namespace witan::test
