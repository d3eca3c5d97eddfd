// The three ways to bound a run, behind one question: how much of it is done.
#include "training/budget.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

// Share of the budget that `consumed` is, not clamped.
double share(const BudgetOptions& budget, const Consumed& consumed) {
  if (budget.steps > 0) return static_cast<double>(consumed.steps) / static_cast<double>(budget.steps);
  if (budget.tokens > 0) return static_cast<double>(consumed.tokens) / static_cast<double>(budget.tokens);
  return consumed.seconds / (budget.minutes * 60.0);
}

}  // namespace

Fields BudgetOptions::fields() {
  Fields fields("budget");
  fields.integer("steps", steps, 0, std::int64_t{1} << 40, "Train for this many optimizer steps")
      .integer("tokens", tokens, 0, std::int64_t{1} << 50, "Train on this many tokens")
      .real("minutes", minutes, 0.0, 1e7, "Train for this long; the schedule follows the clock");
  return fields;
}

void BudgetOptions::validate() const {
  const int given = (steps > 0 ? 1 : 0) + (tokens > 0 ? 1 : 0) + (minutes > 0.0 ? 1 : 0);
  if (given != 1) {
    fail("budget: steps={} tokens={} minutes={}: exactly one of them must be above 0", steps, tokens, minutes);
  }
}

double budget_share(const BudgetOptions& budget, const Consumed& consumed) {
  return std::clamp(share(budget, consumed), 0.0, 1.0);
}

bool budget_spent(const BudgetOptions& budget, const Consumed& consumed) { return share(budget, consumed) >= 1.0; }

double progress_of_next_step(const BudgetOptions& budget, const Consumed& consumed, std::int64_t tokens_per_step) {
  Consumed after = consumed;
  after.steps += 1;
  after.tokens += tokens_per_step;
  if (consumed.steps > 0) after.seconds += consumed.seconds / static_cast<double>(consumed.steps);
  return std::clamp(0.5 * (share(budget, consumed) + share(budget, after)), 0.0, 1.0);
}

double seconds_left(const BudgetOptions& budget, const Consumed& consumed) {
  const double done = share(budget, consumed);
  if (done <= 0.0) return -1.0;
  return std::max(0.0, consumed.seconds * (1.0 - done) / done);
}

}  // namespace witan
