// The top-k router and its entry.
#include "routers/top_k.h"

#include <utility>

#include "routers/table.h"

namespace witan {

Routing TopKRouter::route(Tape& tape, const Tensor& scores, const RouterContext& context) {
  Choices choices = choose_top_k(scores, k_, context.row_mask);
  const Tensor probabilities = routing_probabilities(tape, scores, weighting_.weighting);
  const DropRule drop = dropping_.rule(choices, context);
  return route_weighted(tape, std::move(choices), scores.matrix(), scores, probabilities, weighting_, drop);
}

namespace {

std::unique_ptr<Router> make_top_k(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  const WeightingRule rule = weighting_rule(options);
  check_choices("top_k", options, is_renormalized(rule.weighting));
  return std::make_unique<TopKRouter>(options.num_experts_per_tok, rule,
                                      Dropping(options, capacity_factors(options, kDropless)));
}

}  // namespace

RouterEntry top_k_router() {
  return {
      .name = "top_k",
      .summary = "each row goes to the k experts of the largest scores",
      .formula = "S = the k largest h_i; weights by `weighting`",
      .paper = "Shazeer et al. 2017 (without noise); Jiang et al. 2024 (Mixtral); Muennighoff et al. 2024 (OLMoE)",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the same; dropless unless eval_capacity_factor is set",
      .cost = "E log k per row",
      .uses_weighting = true,
      .fixed_experts_per_tok = 0,
      .options = {norm_order_option()},
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_top_k,
  };
}

}  // namespace witan
