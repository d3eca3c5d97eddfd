// The dense mixture: every expert serves every row. What sparse routers approximate, at its full price.
#include "base/error.h"
#include "routers/table.h"
#include "routers/top_k.h"

namespace witan {

RouterEntry dense_router() {
  return {
      .name = "dense",
      .summary = "every expert serves every row, weighed by its probability",
      .formula = "S = all experts; w = softmax(h): top_k with k = E",
      .paper = "Jacobs et al. 1991; Eigen et al. 2013",
      .causality = "safe",
      .inference_rule = "the same",
      .cost = "E log E per row, and E experts",
      .kind = RouterKind::kEveryExpert,
      .options = {},
      .causal_safe = [](const RouterOptions&) { return true; },
      .make = [](const RouterOptions& options, std::int64_t, Random&) -> std::unique_ptr<Router> {
        if (options.num_experts_per_tok != options.num_experts) {
          fail("router.dense: num_experts_per_tok={}, expected num_experts={}: every expert serves every row",
               options.num_experts_per_tok, options.num_experts);
        }
        return std::make_unique<TopKRouter>(options.num_experts,
                                            WeightingRule{.weighting = Weighting::kSoftmaxThenTopK},
                                            Dropping(options, CapacityFactors{}));
      },
  };
}

}  // namespace witan
