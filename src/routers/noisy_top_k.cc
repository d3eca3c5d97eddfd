// Noisy top-k: the k experts of the largest noisy scores, and a loss that evens out the smooth load. The importance
// loss that goes with it is the balance rule `importance`, which works for every router.
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/variation.h"
#include "routers/score_noise.h"
#include "routers/smooth_load.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace witan {
namespace {

class NoisyTopKRouter final : public Router {
 public:
  NoisyTopKRouter(const RouterOptions& options, const WeightingRule& weighting, std::int64_t hidden_size)
      : k_(options.num_experts_per_tok),
        weighting_(weighting),
        load_coefficient_(options.router_extra.real("noisy_load_coef")),
        noise_(options, options.num_experts, hidden_size),
        dropping_(options, capacity_factors(options, kDropless)) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    const NoisyScores noisy = noise_.add(tape, scores, context);
    Choices choices = choose_top_k(noisy.scores, k_, context.row_mask);
    const DropRule drop = dropping_.rule(choices, context);
    // Balance losses average clean probabilities; weights are made of what was selected by.
    const Tensor clean = routing_probabilities(tape, scores, weighting_.weighting);
    const bool same = !noisy.deviations.defined() || reads_scores(weighting_.weighting);
    const Tensor weighed = same ? clean : routing_probabilities(tape, noisy.scores, weighting_.weighting);
    Routing routing =
        route_weighted(tape, std::move(choices), noisy.scores.matrix(), noisy.scores, weighed, weighting_, drop);
    routing.probabilities = clean;
    if (load_coefficient_ > 0.0) {
      const Tensor load = smooth_load(tape, scores, noisy, k_, context.row_mask);
      const Tensor loss = ops::squared_variation(tape, load);
      routing.terms.push_back(
          {"noisy_load", ops::scale(tape, loss, static_cast<float>(load_coefficient_)), loss.item()});
    }
    return routing;
  }

  std::vector<Parameter> parameters() const override { return noise_.parameters("noise.weight"); }

 private:
  std::int64_t k_;
  WeightingRule weighting_;
  double load_coefficient_;
  ScoreNoise noise_;
  Dropping dropping_;
};

std::unique_ptr<Router> make_noisy_top_k(const RouterOptions& options, std::int64_t hidden_size, Random& /*random*/) {
  const WeightingRule rule = weighting_rule(options);
  check_choices("noisy_top_k", options, is_renormalized(rule.weighting));
  return std::make_unique<NoisyTopKRouter>(options, rule, hidden_size);
}

}  // namespace

RouterEntry noisy_top_k_router() {
  std::vector<ExtraOption> extra = noise_options();
  extra.push_back(noisy_load_option());
  extra.push_back(norm_order_option());
  return {
      .name = "noisy_top_k",
      .summary = "each row goes to the k experts of the largest scores after noise",
      .formula =
          "H = h + N(0, 1) s, s = softplus(x Wn') + router_noise_epsilon or 1/E; S = the k largest H_i; weights of H "
          "by "
          "`weighting`; loss noisy_load_coef CV^2(sum over rows of Phi((h_i - thr_i) / s_i)), thr_i the k-th largest "
          "of "
          "the other H; the paper adds importance_coef = 0.1, router_init_scale = 0",
      .paper = "Shazeer et al. 2017, section 2.1 and appendix A; V-MoE: Riquelme et al. 2021 (router_noise = fixed)",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "without noise; dropless unless eval_capacity_factor is set",
      .cost = "2 D E for the noise, E log k",
      .uses_weighting = true,
      .options = extra,
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_noisy_top_k,
  };
}

}  // namespace witan
