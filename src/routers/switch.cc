// The Switch router: one expert per row, its weight the probability itself, capacity always.
#include "base/error.h"
#include "routers/table.h"
#include "routers/top_k.h"

namespace witan {
namespace {

constexpr CapacityFactors kSwitchCapacity = {1.25, 2.0};

std::unique_ptr<Router> make_switch(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  if (options.num_experts_per_tok != 1) {
    fail("router.switch: num_experts_per_tok={}, expected 1: this router sends each row to one expert",
         options.num_experts_per_tok);
  }
  return std::make_unique<TopKRouter>(1, WeightingRule{.weighting = Weighting::kSoftmaxThenTopK},
                                      Dropping(options, capacity_factors(options, kSwitchCapacity)));
}

}  // namespace

RouterEntry switch_router() {
  return {
      .name = "switch",
      .summary = "each row goes to the expert of the largest score, up to a capacity",
      .formula = "i = argmax h; w = softmax(h)_i, never renormalised; C = ceil(T capacity_factor / E)",
      .paper = "Fedus et al. 2021",
      .causality = "safe; not with a drop_policy that serves later rows first",
      .inference_rule = "the same, with eval_capacity_factor (2 by default) for capacity_factor (1.25)",
      .cost = "E per row",
      .uses_weighting = false,
      .fixed_experts_per_tok = 1,
      .options = {},
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kSwitchCapacity); },
      .make = make_switch,
  };
}

}  // namespace witan
