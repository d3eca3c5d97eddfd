// Fields of the router options.
#include "routers/options.h"

#include "dispatch/capacity.h"
#include "dispatch/drop_policies.h"
#include "routers/table.h"
#include "routers/weighting.h"

namespace witan {

RouterOptions::RouterOptions() {
  for (const RouterEntry& entry : router_table()) {
    for (const ExtraOption& option : entry.options) router_extra.declare(option);
  }
}

Fields RouterOptions::fields() {
  constexpr std::int64_t kManyExperts = 1 << 24;
  Fields fields("router");
  fields.integer("num_experts", num_experts, 1, kManyExperts, "Experts per mixture layer")
      .integer("num_experts_per_tok", num_experts_per_tok, 1, kManyExperts, "Experts that serve one row (k)")
      .choice("router", router, router_names(), "Rule that decides which experts serve a row (docs/routers.md)")
      .choice("weighting", weighting, weighting_names(), "Weights of the selected experts (docs/routers.md)")
      .real("routed_scaling_factor", routed_scaling_factor, 1e-6, 1e6,
            "Factor of the weights in the weightings sigmoid_topk_norm, sigmoid_scaled and scaled")
      .real("capacity_factor", capacity_factor, kRouterDefault, 1e6,
            "Rows an expert may serve in training, over the mean load; 0: any number, -1: as the router's paper says")
      .real("eval_capacity_factor", eval_capacity_factor, kRouterDefault, 1e6, "The same in evaluation")
      .choice("capacity_rounding", capacity_rounding, capacity_rounding_names(), "Rounding of the capacity")
      .integer("min_capacity", min_capacity, 1, kManyExperts, "Least capacity of an expert")
      .real(
          "eval_capacity_fraction", eval_capacity_fraction, 0.0, 1.0,
          "In evaluation an expert serves this share of all rows, instead of eval_capacity_factor (NLLB: 0.25); 0: off")
      .choice("drop_policy", drop_policy, drop_policy_names(), "Who is served when an expert is full")
      .choice(
          "overflow", overflow, {"drop", "next_best"},
          "A choice whose expert is full is dropped, or goes to the row's next best expert with room (no token left "
          "behind; routers whose rows choose by score)");
  router_extra.add_to(fields);
  return fields;
}

}  // namespace witan
