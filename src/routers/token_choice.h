// What routers share in which each row chooses its experts: checked top-k, capacity, and the Routing made of both.
#pragma once

#include <cstdint>
#include <span>

#include "dispatch/choices.h"
#include "dispatch/sort_by_expert.h"
#include "routers/options.h"
#include "routers/weighting.h"
#include "witan/router.h"

namespace witan {

// The k largest scores [T, E] of each row that is not masked; ties go to the lowest index. Throws Error naming the row
// for a score that is NaN or +inf, or a row of nothing but -inf.
Choices choose_top_k(const Tensor& scores, std::int64_t k, std::span<const std::uint8_t> row_mask);

// The same checks without a choice.
void check_scores(const Tensor& scores);

// Factors of the mean load in training and in evaluation; 0: dropless.
struct CapacityFactors {
  double training = 0.0;
  double evaluation = 0.0;
};
inline constexpr CapacityFactors kDropless = {0.0, 0.0};
// Those of the options, and `defaults` where they leave it to the router.
CapacityFactors capacity_factors(const RouterOptions& options, const CapacityFactors& defaults);

// Rows that are not masked.
std::int64_t count_rows(std::int64_t num_rows, std::span<const std::uint8_t> row_mask);

// Capacity and dropping, as options say.
class Dropping {
 public:
  Dropping(const RouterOptions& options, const CapacityFactors& factors);
  // Instead of those of the options.
  void set_rounding(CapacityRounding rounding, std::int64_t multiple);
  void set_policy(const DropPolicy& policy) { policy_ = &policy; }

  // For one batch of choices.
  DropRule rule(const Choices& choices, const RouterContext& context) const;
  // Of each expert, for so many rows that ask for k experts each.
  std::int64_t capacity(std::int64_t rows, std::int64_t k, std::int64_t num_experts, bool training) const;

 private:
  CapacityRule training_;
  CapacityRule evaluation_;
  double evaluation_fraction_;
  bool reroute_;
  const DropPolicy* policy_;
};

// Whether an expert may be full at all, in training or in evaluation.
bool may_drop(const RouterOptions& options, const CapacityFactors& defaults);
// causal_safe of a router that looks at other rows only when it drops by options.drop_policy.
bool drops_causally(const RouterOptions& options, const CapacityFactors& defaults);

// Throws Error naming `router` for more choices than experts, or for one choice whose weight, divided by itself, is
// constant.
void check_choices(const char* router, const RouterOptions& options, bool renormalized);

// weights [T, experts_per_row] and probabilities [T, E] (or undefined), both with gradient.
Routing route_choices(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                      const DropRule& drop);

// The same where it was decided otherwise which choices are served.
Routing route_served(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                     const ServedSlots& served);

// The same for choices that are weighed by a rule. Choices that find no room are rerouted by `selection` [T, E] (-inf:
// never) if the drop rule says so.
Routing route_weighted(Tape& tape, Choices choices, ConstMatrix selection, const Tensor& scores,
                       const Tensor& probabilities, const WeightingRule& weighting, const DropRule& drop);

}  // namespace witan
