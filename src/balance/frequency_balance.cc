// sum_e f_e P_e under every option of balance.
#include "balance/frequency_balance.h"

#include <algorithm>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "balance/probability_loss.h"

namespace witan {

FrequencyBalance::FrequencyBalance(std::string name, double coefficient, const BalanceOptions& options,
                                   Frequencies frequencies)
    : name_(std::move(name)),
      coefficient_(coefficient),
      frequencies_(std::move(frequencies)),
      counting_{options.balance_counts == "before_dropping", options.balance_choices == "first"},
      scale_to_k_(options.balance_scale == "k"),
      per_sequence_(options.balance_scope == "sequence"),
      global_batch_(options.balance_scope == "global_batch") {}

BalanceTerm FrequencyBalance::term(Tape& tape, const BalanceInput& input) {
  const Assignment& assignment = *input.routing.assignment;
  const std::span<const std::uint8_t> mask = input.context.row_mask;
  const Sequences sequences(assignment.num_rows, per_sequence_ ? input.context.rows_per_sequence : 0);
  const PooledVector<ChoiceCounts> counts = count_choices(assignment, sequences, counting_, mask);
  const auto filled = std::count_if(counts.begin(), counts.end(), [](const auto& each) { return each.rows > 0.0; });

  RowWeights weights{{}, {mask.begin(), mask.end()}, sequences.length, assignment.num_experts};
  for (const ChoiceCounts& sequence : counts) {
    // The mean over the sequence's rows, then over the sequences that have any.
    const double per_row = 1.0 / std::max(1.0, sequence.rows * static_cast<double>(filled));
    const double scale = scale_to_k_ ? sequence.choices_per_row() : 1.0;
    PooledVector<double> loads = balanced_over(sequence, input.context).relative_load();
    if (frequencies_) frequencies_(loads);
    for (const double load : loads) weights.coefficients.push_back(static_cast<float>(load * scale * per_row));
  }
  const Tensor loss = weighted_probabilities(tape, {&input.routing.probabilities, 1}, std::move(weights));
  return {name_, ops::scale(tape, loss, static_cast<float>(coefficient_)), loss.item()};
}

const ChoiceCounts& FrequencyBalance::balanced_over(const ChoiceCounts& counts, const RouterContext& context) {
  if (!global_batch_ || !context.training) return counts;
  if (context.micro_batch == 0) step_ = {};
  step_.add(counts);
  return step_;
}

}  // namespace witan
