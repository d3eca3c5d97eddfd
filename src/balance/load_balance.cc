// loss = E * sum_e f_e P_e: f_e the share of choices that went to expert e (no gradient), P_e its mean probability.
// Lepikhin et al. 2020 (section 2.2), Fedus et al. 2021 (equation 4); global batch: Qiu et al. 2025.
#include "balance/load_balance.h"

#include <algorithm>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "balance/choice_counts.h"
#include "balance/frequency_balance.h"
#include "balance/probability_loss.h"
#include "balance/table.h"
#include "base/error.h"

namespace witan {

BalanceTerm pooled_load_balance(Tape& tape, const BalanceOptions& options, std::span<const Routing> routings,
                                const RouterContext& context) {
  WITAN_ASSERT(!routings.empty());
  ChoiceCounts pooled;
  PooledVector<Tensor> probabilities;
  const Sequences all(routings[0].assignment->num_rows, 0);
  for (const Routing& routing : routings) {
    for (const ChoiceCounts& counts : count_choices(*routing.assignment, all, {}, context.row_mask)) pooled.add(counts);
    probabilities.push_back(routing.probabilities);
  }
  RowWeights weights{
      {}, {context.row_mask.begin(), context.row_mask.end()}, all.length, routings[0].assignment->num_experts};
  const double per_row = pooled.choices_per_row() / std::max(1.0, pooled.rows);
  for (const double load : pooled.relative_load()) weights.coefficients.push_back(static_cast<float>(load * per_row));
  const Tensor loss = weighted_probabilities(tape, probabilities, std::move(weights));
  return {"load_balance", ops::scale(tape, loss, static_cast<float>(options.router_aux_loss_coef)), loss.item()};
}

BalanceEntry load_balance_balance() {
  return {
      .name = "load_balance",
      .summary = "share of the choices times mean probability, summed over experts",
      .formula =
          "E sum_e f_e P_e; f_e: share of the choices (balance_counts, balance_choices), no gradient; P_e: mean "
          "probability",
      .paper = "Lepikhin et al. 2020; Fedus et al. 2021; global batch: Qiu et al. 2025",
      .balanced_value = "1, or k with balance_scale = k or balance_hf_compatible",
      .options = {},
      .at_balance = [](const BalanceOptions& options, std::int64_t, std::int64_t k) -> double {
        return options.balance_scale == "k" ? static_cast<double>(k) : 1.0;
      },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        // The Hugging Face form spans layers: combine_balance adds it.
        if (options.router_aux_loss_coef == 0.0 || options.balance_hf_compatible) return nullptr;
        return std::make_unique<FrequencyBalance>("load_balance", options.router_aux_loss_coef, options);
      },
  };
}

}  // namespace witan
