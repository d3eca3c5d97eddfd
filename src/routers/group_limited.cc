// The group-limited router and its entry.
#include "routers/group_limited.h"

#include <algorithm>
#include <utility>

#include "kernels/elementwise.h"
#include "routers/table.h"

namespace witan {

Routing GroupLimitedRouter::route(Tape& tape, const Tensor& scores, const RouterContext& context) {
  check_scores(scores);
  const Tensor probabilities = routing_probabilities(tape, scores, weighting_.weighting);
  const Tensor selected_by = selection(scores, probabilities);
  Choices choices = choose_top_k(selected_by, k_, context.row_mask);
  const DropRule drop = dropping_.rule(choices, context);
  return route_weighted(tape, std::move(choices), selected_by.matrix(), scores, probabilities, weighting_, drop);
}

Tensor GroupLimitedRouter::selection(const Tensor& scores, const Tensor& probabilities) const {
  Tensor result = Tensor::uninitialized(scores.shape());
  // Scores order experts as their softmax or sigmoid does, and do not underflow: they serve where only order counts.
  const bool only_order = !bias_.defined() && !limit_.sum_of_two && !limit_.mask_with_zero;
  if (!only_order && is_sigmoid(weighting_.weighting)) {
    kernels::sigmoid(scores.values(), result.values());
  } else {
    std::ranges::copy(only_order ? scores.values() : probabilities.values(), result.data());
  }
  if (bias_.defined()) {
    for (std::int64_t row = 0; row < result.rows(); ++row) {
      float* const out = result.matrix().row(row);
      for (std::int64_t e = 0; e < result.cols(); ++e) out[e] += bias_.data()[e];
    }
  }
  limit_to_groups(limit_, result.matrix());
  return result;
}

namespace {

std::unique_ptr<Router> make_group_limited(const RouterOptions& options, std::int64_t /*hidden_size*/,
                                           Random& /*random*/) {
  const WeightingRule rule = weighting_rule(options);
  check_choices("group_limited", options, is_renormalized(rule.weighting));
  return std::make_unique<GroupLimitedRouter>(options.num_experts_per_tok, rule, group_limit("group_limited", options),
                                              Dropping(options, capacity_factors(options, kDropless)));
}

}  // namespace

RouterEntry group_limited_router() {
  std::vector<ExtraOption> extra = group_limit_options();
  extra.push_back(norm_order_option());
  return {
      .name = "group_limited",
      .summary = "each row goes to its k best experts within its topk_group best groups",
      .formula =
          "s = softmax(h) or sigmoid(h), as `weighting` has it; group score: max s, or the sum of the two largest; "
          "s = -inf outside of the topk_group best of n_group groups; S = the k largest s_i; weights by "
          "`weighting`",
      .paper = "DeepSeek-AI 2024 (DeepSeek-V2, section 2.2.2; DeepSeek-V3, section 2.1.2)",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the same; dropless unless eval_capacity_factor is set",
      .cost = "E log k per row",
      .uses_weighting = true,
      .options = extra,
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_group_limited,
  };
}

}  // namespace witan
