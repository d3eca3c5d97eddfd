// Losses of the form sum_e f_e P_e over the rows of a batch, sequence or optimizer step: f_e made of how often experts
// were chosen (no gradient), P_e the mean probability. What f is made of is each rule's own.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "balance/choice_counts.h"
#include "balance/options.h"
#include "balance/rule.h"

namespace witan {

class FrequencyBalance final : public BalanceRule {
 public:
  // Turns relative loads [E] (1 everywhere at balance) into f, in place. Throws Error when the rule does not fit E.
  using Frequencies = std::function<void(std::span<double> loads)>;

  FrequencyBalance(std::string name, double coefficient, const BalanceOptions& options, Frequencies frequencies = {});
  BalanceTerm term(Tape& tape, const BalanceInput& input) override;

 private:
  // The counts that f is taken from.
  const ChoiceCounts& balanced_over(const ChoiceCounts& counts, const RouterContext& context);

  std::string name_;
  double coefficient_;
  Frequencies frequencies_;
  CountRule counting_;
  bool scale_to_k_;
  bool per_sequence_;
  bool global_batch_;
  ChoiceCounts step_;  // of the optimizer step so far
};

}  // namespace witan
