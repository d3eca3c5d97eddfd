// What routers share in which each row chooses its experts: checked top-k, capacity, and the Routing made of both.
#pragma once

#include <cstdint>
#include <span>

#include "dispatch/choices.h"
#include "dispatch/sort_by_expert.h"
#include "routers/options.h"
#include "witan/router.h"

namespace witan {

// The k largest scores [T, E] of each row that is not masked; ties go to the lowest index. Throws Error naming the row
// for a score that is NaN or +inf, or a row of nothing but -inf.
Choices choose_top_k(const Tensor& scores, std::int64_t k, std::span<const std::uint8_t> row_mask);

// Factors of the mean load in training and in evaluation; 0: dropless.
struct CapacityFactors {
  double training = 0.0;
  double evaluation = 0.0;
};
// Those of the options, and `defaults` where they leave it to the router.
CapacityFactors capacity_factors(const RouterOptions& options, const CapacityFactors& defaults);

// Capacity and dropping, as options say.
class Dropping {
 public:
  Dropping(const RouterOptions& options, const CapacityFactors& factors);
  // For one batch of choices.
  DropRule rule(const Choices& choices, const RouterContext& context) const;

 private:
  CapacityRule training_;
  CapacityRule evaluation_;
  const DropPolicy* policy_;
};

// weights [T, experts_per_row] and probabilities [T, E] (or undefined), both with gradient.
Routing route_choices(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                      const DropRule& drop);

}  // namespace witan
