// Phi-3.5-MoE's router: each pick is the best expert that is left, weighed by a softmax over those that come close to
// it. Not the stochastic training of SparseMixer: in training it picks and weighs as in evaluation.
#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/ops/softmax.h"
#include "base/parallel.h"
#include "routers/row_grain.h"
#include "routers/table.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

// The softmax weight of expert `pick`, the best of those not yet taken, and of all others that come close to it: [E],
// 0 elsewhere; all 0 when only experts with a score of -inf are left.
void shares(std::span<const float> scores, const std::vector<bool>& taken, std::size_t pick, float epsilon,
            std::span<float> result) {
  const float best = scores[pick];
  if (std::isinf(best)) {
    std::ranges::fill(result, 0.0F);
    return;
  }
  float sum = 0.0F;
  for (std::size_t e = 0; e < scores.size(); ++e) {
    const float distance = (best - scores[e]) / std::max(std::fabs(scores[e]), best);
    const bool close = e == pick || scores[e] == best || distance <= 2.0F * epsilon;
    result[e] = close && !taken[e] ? std::exp(scores[e] - best) : 0.0F;
    sum += result[e];
  }
  for (float& share : result) share /= sum;
}

// Weight of each choice [T, k], which are the k best in order.
Tensor pick_weights(Tape& tape, const Tensor& scores, const Choices& choices, float epsilon) {
  Tensor weights = tape.output({choices.num_rows, choices.experts_per_row}, {&scores});
  // visit(row, rank, pick, shares): once for each choice that was made.
  const auto for_each_pick = [epsilon, kept = scores.detached(), width = choices.experts_per_row,
                              experts = choices.experts](const auto& visit) {
    const auto count = static_cast<std::size_t>(kept.cols());
    parallel_for(kept.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> row_shares(count);
      for (std::int64_t row = begin; row < end; ++row) {
        std::vector<bool> taken(count, false);
        for (std::int64_t rank = 0; rank < width; ++rank) {
          const std::int32_t expert = experts[static_cast<std::size_t>(row * width + rank)];
          if (expert == kNoExpert) break;
          const auto pick = static_cast<std::size_t>(expert);
          shares({kept.matrix().row(row), count}, taken, pick, epsilon, row_shares);
          visit(row, rank, pick, std::span<const float>(row_shares));
          taken[pick] = true;
        }
      }
    });
  };
  std::fill(weights.values().begin(), weights.values().end(), 0.0F);
  for_each_pick([out = weights.matrix()](std::int64_t row, std::int64_t rank, std::size_t pick,
                                         std::span<const float> share) { out(row, rank) = share[pick]; });
  tape.record(weights, [for_each_pick, dweights = weights.grad(), dscores = scores.grad()] {
    const std::span<float> sum = dscores.accumulator();
    const ConstMatrix given = dweights.matrix();
    for_each_pick([&](std::int64_t row, std::int64_t rank, std::size_t pick, std::span<const float> share) {
      float* const out = sum.data() + row * static_cast<std::int64_t>(share.size());
      const float flow = given(row, rank) * share[pick];
      for (std::size_t e = 0; e < share.size(); ++e) out[e] += flow * ((e == pick ? 1.0F : 0.0F) - share[e]);
    });
  });
  return weights;
}

class SparsemixerRouter final : public Router {
 public:
  SparsemixerRouter(const RouterOptions& options, const Dropping& dropping)
      : k_(options.num_experts_per_tok),
        epsilon_(static_cast<float>(options.router_extra.real("sparsemixer_epsilon"))),
        dropping_(dropping) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    // The best of what is left, again and again: the k best.
    const Choices choices = choose_top_k(scores, k_, context.row_mask);
    const Tensor weights = pick_weights(tape, scores, choices, epsilon_);
    return route_choices(tape, choices, weights, ops::softmax(tape, scores), dropping_.rule(choices, context));
  }

 private:
  std::int64_t k_;
  float epsilon_;
  Dropping dropping_;
};

std::unique_ptr<Router> make_sparsemixer(const RouterOptions& options, std::int64_t /*hidden_size*/,
                                         Random& /*random*/) {
  check_choices("sparsemixer", options, false);
  return std::make_unique<SparsemixerRouter>(options, Dropping(options, capacity_factors(options, kDropless)));
}

}  // namespace

RouterEntry sparsemixer_router() {
  return {
      .name = "sparsemixer",
      .summary = "the k best experts in turn, each weighed against those of the rest that come close to it",
      .formula =
          "pick i = argmax of the h that are left, w_i = softmax over those left with (h_i - h_j) / max(abs(h_j), h_i) "
          "<= 2 sparsemixer_epsilon; the weights of a row need not sum to 1",
      .paper = "Liu et al. 2023 (SparseMixer), 2024 (GRIN MoE, Phi-3.5-MoE): the rule of evaluation, without sampling",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the same; dropless unless eval_capacity_factor is set",
      .cost = "E k per row",
      .options = {{.name = "sparsemixer_epsilon",
                   .value = 0.01,
                   .help = "How close an expert must come to the router sparsemixer's pick to weigh in",
                   .minimum = 0.0,
                   .maximum = 1e3}},
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_sparsemixer,
  };
}

}  // namespace witan
