// The top-k router and its entry.
#include "routers/top_k.h"

#include "base/error.h"
#include "routers/table.h"

namespace witan {

Routing TopKRouter::route(Tape& tape, const Tensor& scores, const RouterContext& context) {
  const Choices choices = choose_top_k(scores, k_, context.row_mask);
  const Tensor probabilities = routing_probabilities(tape, scores, weighting_.weighting);
  const Tensor weights = choice_weights(tape, scores, probabilities, choices, weighting_);
  return route_choices(tape, choices, weights, probabilities, dropping_.rule(choices, context));
}

namespace {

constexpr CapacityFactors kDropless = {0.0, 0.0};

std::unique_ptr<Router> make_top_k(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  const std::int64_t k = options.num_experts_per_tok;
  if (k > options.num_experts) {
    fail("router.top_k: num_experts_per_tok={} exceeds num_experts={}", k, options.num_experts);
  }
  const WeightingRule rule{parse_weighting(options.weighting), static_cast<float>(options.routed_scaling_factor),
                           static_cast<float>(options.router_extra.real("topk_norm_order"))};
  if (k == 1 && options.num_experts > 1 && is_renormalized(rule.weighting)) {
    fail(
        "router.top_k: with num_experts_per_tok=1 the weighting '{}' divides the only weight by itself: it is constant "
        "and the router gets no gradient; expected weighting 'softmax_then_topk' or 'scaled'",
        options.weighting);
  }
  return std::make_unique<TopKRouter>(k, rule, Dropping(options, capacity_factors(options, kDropless)));
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
      .options = {{.name = "topk_norm_order",
                   .value = 1.0,
                   .help = "Order of the norm that the weighting softmax_topk_norm divides by",
                   .minimum = 1.0,
                   .maximum = 64.0,
                   .choices = {}}},
      .causal_safe =
          [](const RouterOptions& options) {
            const CapacityFactors factors = capacity_factors(options, kDropless);
            return (factors.training == 0.0 && factors.evaluation == 0.0) ||
                   find_drop_policy(options.drop_policy).causal_safe(options.num_experts_per_tok);
          },
      .make = make_top_k,
  };
}

}  // namespace witan
