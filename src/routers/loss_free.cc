// Balance without a loss: a bias on each expert's selection, raised after each step for experts below the mean load and
// lowered for those above. Everything else is the group-limited router (one group by default).

#include "base/error.h"
#include "routers/group_limited.h"
#include "routers/table.h"

namespace witan {
namespace {

class LossFreeRouter final : public GroupLimitedRouter {
 public:
  LossFreeRouter(const RouterOptions& options, const WeightingRule& weighting, const GroupLimit& limit)
      : GroupLimitedRouter(options.num_experts_per_tok, weighting, limit,
                           Dropping(options, capacity_factors(options, kDropless))),
        rate_(static_cast<float>(options.router_extra.real("bias_update_rate"))) {
    bias_ = Tensor::zeros({options.num_experts});
  }

  std::vector<Parameter> buffers() const override { return {{"e_score_correction_bias", bias_, false}}; }

  void after_step(std::span<const std::int64_t> requested_rows) override {
    const std::span<float> bias = bias_.values();
    WITAN_ASSERT(requested_rows.size() == bias.size());
    std::int64_t total = 0;
    for (const std::int64_t rows : requested_rows) total += rows;
    for (std::size_t e = 0; e < bias.size(); ++e) {
      // The sign of mean - count, in whole numbers: exact at balance.
      const std::int64_t above = requested_rows[e] * static_cast<std::int64_t>(bias.size()) - total;
      if (above != 0) bias[e] += above < 0 ? rate_ : -rate_;
    }
  }

 private:
  float rate_;
};

std::unique_ptr<Router> make_loss_free(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  const WeightingRule rule = weighting_rule(options);
  check_choices("loss_free", options, is_renormalized(rule.weighting));
  return std::make_unique<LossFreeRouter>(options, rule, group_limit("loss_free", options));
}

}  // namespace

RouterEntry loss_free_router() {
  std::vector<ExtraOption> extra = group_limit_options();
  extra.push_back(norm_order_option());
  extra.push_back({.name = "bias_update_rate",
                   .value = 0.001,
                   .help = "Step of the selection bias of the router loss_free, after each optimizer step",
                   .minimum = 0.0,
                   .maximum = 1e3});
  return {
      .name = "loss_free",
      .summary = "top-k of scores plus a bias that is moved against each expert's load once per step",
      .formula =
          "s = sigmoid(h) or softmax(h), as `weighting` has it; S = the k largest s_i + b_i (group-limited with "
          "n_group > 1); weights by `weighting`, without b; b_i += bias_update_rate sign(mean count - count_i); "
          "DeepSeek-V3: weighting = sigmoid_topk_norm, group_score = sum_of_two, routed_scaling_factor = 2.5",
      .paper = "Wang et al. 2024; DeepSeek-AI 2024 (DeepSeek-V3, section 2.1.2)",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the same, with the bias as training left it",
      .cost = "E log k per row",
      .uses_weighting = true,
      .options = extra,
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_loss_free,
  };
}

}  // namespace witan
