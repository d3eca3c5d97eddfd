// Batch-prioritised routing: top-k whose capacity goes to the rows that are surest of their choice, so that a small
// capacity drops what matters least. V-MoE's noise is the router noisy_top_k with drop_policy = priority.
#include "routers/table.h"
#include "routers/top_k.h"

namespace witan {
namespace {

constexpr CapacityFactors kVmoeCapacity = {1.05, 1.05};

std::unique_ptr<Router> make_batch_prioritized(const RouterOptions& options, std::int64_t /*hidden_size*/,
                                               Random& /*random*/) {
  check_choices("batch_prioritized", options, false);
  Dropping dropping(options, capacity_factors(options, kVmoeCapacity));
  dropping.set_policy(find_drop_policy("priority"));
  dropping.set_rounding(CapacityRounding::kRound, 4);
  return std::make_unique<TopKRouter>(options.num_experts_per_tok,
                                      WeightingRule{.weighting = Weighting::kSoftmaxThenTopK}, dropping);
}

}  // namespace

RouterEntry batch_prioritized_router() {
  return {
      .name = "batch_prioritized",
      .summary = "top-k whose places go to the rows of the largest probability first",
      .formula =
          "S = the k largest p_i; w_i = p_i; served by descending max p, all first choices before all second ones; "
          "C = round(k T capacity_factor / E), up to a multiple of 4",
      .paper = "Riquelme et al. 2021 (V-MoE), section 4",
      .causality =
          "not safe: a surer later row takes an earlier row's place; safe with capacity_factor = "
          "eval_capacity_factor = 0",
      .inference_rule = "the same, with eval_capacity_factor (1.05 by default; usable below 1)",
      .cost = "E log k per row, T log T when an expert is full",
      .causal_safe = [](const RouterOptions& options) { return !may_drop(options, kVmoeCapacity); },
      .make = make_batch_prioritized,
  };
}

}  // namespace witan
