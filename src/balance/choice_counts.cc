// Counting choices.
#include "balance/choice_counts.h"

#include <algorithm>

#include "base/index.h"

namespace witan {
void ChoiceCounts::add(const ChoiceCounts& other) {
  per_expert.resize(other.per_expert.size(), 0.0);
  for (std::size_t e = 0; e < per_expert.size(); ++e) per_expert[e] += other.per_expert[e];
  counted += other.counted;
  requested += other.requested;
  rows += other.rows;
}

PooledVector<double> ChoiceCounts::relative_load() const {
  PooledVector<double> result = per_expert;
  const double factor = counted == 0.0 ? 0.0 : static_cast<double>(result.size()) / counted;
  for (double& value : result) value *= factor;
  return result;
}

Sequences::Sequences(std::int64_t num_rows, std::int64_t rows_per_sequence)
    : length(rows_per_sequence > 0 ? rows_per_sequence : std::max<std::int64_t>(num_rows, 1)),
      count((num_rows + length - 1) / length) {}

PooledVector<ChoiceCounts> count_choices(const Assignment& assignment, const Sequences& sequences, CountRule rule,
                                         std::span<const std::uint8_t> row_mask) {
  PooledVector<ChoiceCounts> counts(index(sequences.count));
  for (ChoiceCounts& sequence : counts) sequence.per_expert.assign(index(assignment.num_experts), 0.0);
  for (std::int64_t row = 0; row < assignment.num_rows; ++row) {
    if (row_mask.empty() || row_mask[index(row)] != 0) counts[index(sequences.of(row))].rows += 1.0;
  }
  const auto count = [&](std::int32_t row, std::size_t expert, std::int32_t rank, bool served) {
    ChoiceCounts& sequence = counts[index(sequences.of(row))];
    sequence.requested += 1.0;
    if (rule.first_only && rank != 0) return;
    sequence.counted += 1.0;
    if (served || rule.dropped_too) sequence.per_expert[expert] += 1.0;
  };
  for (std::size_t expert = 0; expert < index(assignment.num_experts); ++expert) {
    for (std::size_t entry = index(assignment.expert_offsets[expert]);
         entry < index(assignment.expert_offsets[expert + 1]); ++entry) {
      count(assignment.row_indices[entry], expert, assignment.choice_ranks[entry], true);
    }
  }
  for (std::size_t i = 0; i < assignment.dropped_rows.size(); ++i) {
    count(assignment.dropped_rows[i], index(assignment.dropped_experts[i]), assignment.dropped_ranks[i], false);
  }
  return counts;
}

}  // namespace witan
