// Checked top-k, capacity, and the Routing made of both.
#include "routers/token_choice.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "kernels/select.h"

namespace witan {

Choices choose_top_k(const Tensor& scores, std::int64_t k, std::span<const std::uint8_t> row_mask) {
  WITAN_ASSERT(k >= 1 && k <= scores.cols());
  WITAN_ASSERT(row_mask.empty() || static_cast<std::int64_t>(row_mask.size()) == scores.rows());
  Choices choices{scores.rows(), scores.cols(), k, {}};
  choices.experts.resize(static_cast<std::size_t>(choices.num_slots()));
  PooledVector<float> values(choices.experts.size());
  const std::int64_t nan_row = kernels::top_k(scores.matrix(), k, choices.experts, values);
  if (nan_row >= 0) fail("router: the scores of row {} hold a NaN: the layers below have diverged", nan_row);
  for (std::int64_t row = 0; row < scores.rows(); ++row) {
    const float largest = values[static_cast<std::size_t>(row * k)];
    if (!std::isfinite(largest)) {
      fail("router: the largest score of row {} is {}, expected a finite one", row, largest);
    }
    if (!row_mask.empty() && row_mask[static_cast<std::size_t>(row)] == 0) {
      std::fill_n(choices.experts.begin() + row * k, k, kNoExpert);
    }
  }
  return choices;
}

CapacityFactors capacity_factors(const RouterOptions& options, const CapacityFactors& defaults) {
  const auto either = [](const char* name, double given, double fallback) {
    if (given == RouterOptions::kRouterDefault) return fallback;
    if (!(given >= 0.0)) fail("router: {}={}, expected -1 (the router's own), 0 (dropless) or more", name, given);
    return given;
  };
  return {either("capacity_factor", options.capacity_factor, defaults.training),
          either("eval_capacity_factor", options.eval_capacity_factor, defaults.evaluation)};
}

Dropping::Dropping(const RouterOptions& options, const CapacityFactors& factors)
    : policy_(&find_drop_policy(options.drop_policy)) {
  const CapacityRounding rounding = parse_capacity_rounding(options.capacity_rounding);
  training_ = {factors.training, rounding, options.min_capacity};
  evaluation_ = {factors.evaluation, rounding, options.min_capacity};
}

DropRule Dropping::rule(const Choices& choices, const RouterContext& context) const {
  const auto masked = std::count(context.row_mask.begin(), context.row_mask.end(), std::uint8_t{0});
  const std::int64_t requested = (choices.num_rows - masked) * choices.experts_per_row;
  return {expert_capacity(context.training ? training_ : evaluation_, requested, choices.num_experts), policy_,
          context.training ? context.random : nullptr};
}

Routing route_choices(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                      const DropRule& drop) {
  SortedChoices sorted = sort_by_expert(choices, weights.values(), drop);
  return {.assignment = std::move(sorted.assignment),
          .combine_weights = gather_slots(tape, weights, std::move(sorted.slots)),
          .probabilities = probabilities};
}

}  // namespace witan
