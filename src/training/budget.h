// How long a run lasts: a number of steps, of tokens, or of minutes. Gives the share that is done, which drives the
// schedule.
#pragma once

#include <cstdint>

#include "base/config.h"

namespace witan {

// Exactly one is set (> 0).
struct BudgetOptions {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double minutes = 0.0;

  Fields fields();
  // Throws Error unless exactly one is set.
  void validate() const;
};

// What a run has used so far; saved with it.
struct Consumed {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double seconds = 0.0;  // of training, summed over all sittings
};

// The share of the budget that is used, in [0, 1].
double budget_share(const BudgetOptions& budget, const Consumed& consumed);
bool budget_spent(const BudgetOptions& budget, const Consumed& consumed);

// The share of the run at the middle of the coming step, in [0, 1]: neither the first nor the last step then has the
// learning rate 0 of the schedule's ends. `tokens_per_step` is what the step will use. In a run by minutes the length
// of the step is taken from the mean so far.
double progress_of_next_step(const BudgetOptions& budget, const Consumed& consumed, std::int64_t tokens_per_step);

// Seconds until the budget is spent at the mean rate so far; negative when nothing was done yet.
double seconds_left(const BudgetOptions& budget, const Consumed& consumed);

}  // namespace witan
