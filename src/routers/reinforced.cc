// RL-R: the choice of an expert as an action, learned from the loss of the row that it was taken for.
#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "kernels/softmax.h"
#include "routers/table.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

// One expert of each row that is not masked, drawn with its probabilities.
Choices draw(const Tensor& probabilities, const RouterContext& context) {
  Choices choices{probabilities.rows(), probabilities.cols(), 1, {}};
  choices.experts.resize(index(probabilities.rows()), kNoExpert);
  for (std::int64_t row = 0; row < probabilities.rows(); ++row) {
    if (context.masked(row)) continue;
    const float* const p = probabilities.matrix().row(row);
    float left = context.random->uniform();
    // The last expert of any probability takes what rounding leaves over.
    for (std::int64_t e = 0; e < probabilities.cols(); ++e) {
      if (p[e] == 0.0F) continue;
      choices.experts[index(row)] = static_cast<std::int32_t>(e);
      left -= p[e];
      if (left < 0.0F) break;
    }
  }
  return choices;
}

// Mean over the rows that are not masked of -sum p log p, with the gradient to the scores:
// d/dh_i = -p_i (log p_i + entropy).
Tensor mean_entropy(Tape& tape, const Tensor& scores, const Tensor& probabilities, const RouterContext& context) {
  Tensor y = tape.output({}, {&scores});
  PooledVector<float> entropies(index(probabilities.rows()));
  kernels::row_entropy(probabilities.matrix(), entropies.data());
  PooledVector<std::uint8_t> counted(entropies.size());
  double sum = 0.0;
  double rows = 0.0;
  for (std::size_t row = 0; row < counted.size(); ++row) {
    counted[row] = context.masked(static_cast<std::int64_t>(row)) ? 0 : 1;
    if (counted[row] == 0) continue;
    sum += static_cast<double>(entropies[row]);
    rows += 1.0;
  }
  y.data()[0] = static_cast<float>(sum / std::max(1.0, rows));
  tape.record(y, [dy = y.grad(), dh = scores.grad(), p = probabilities.detached(), entropies = std::move(entropies),
                  counted = std::move(counted), rows] {
    const float given = dy.values()[0] / static_cast<float>(std::max(1.0, rows));
    const std::span<float> sums = dh.accumulator();
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::size_t row = i / index(p.cols());
      const float probability = p.values()[i];
      if (counted[row] == 0 || probability == 0.0F) continue;
      sums[i] -= given * probability * (std::log(probability) + entropies[row]);
    }
  });
  return y;
}

class ReinforcedRouter final : public Router {
 public:
  ReinforcedRouter(const RouterOptions& options, std::int64_t hidden_size)
      : entropy_coefficient_(static_cast<float>(options.router_extra.real("reinforced_entropy_coef"))),
        baseline_coefficient_(static_cast<float>(options.router_extra.real("reinforced_baseline_coef"))),
        baseline_weight_(Tensor::zeros({1, hidden_size})),
        baseline_bias_(Tensor::zeros({1})),
        dropping_(options, capacity_factors(options, kDropless)) {
    baseline_weight_.set_requires_grad(true);
    baseline_bias_.set_requires_grad(true);
  }

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    const Tensor probabilities = ops::softmax(tape, scores);
    if (!context.training) {
      const Choices choices = choose_top_k(scores, 1, context.row_mask);
      const Tensor ones = Tensor::full({scores.rows(), 1}, 1.0F);
      return route_choices(tape, choices, ones, probabilities, dropping_.rule(choices, context));
    }
    WITAN_ASSERT(context.random != nullptr);
    const Choices choices = draw(probabilities, context);
    const Tensor weights = tape.output({scores.rows(), 1}, {&scores});
    std::fill(weights.values().begin(), weights.values().end(), 1.0F);
    record_policy_gradient(tape, weights, scores, probabilities, choices, context);
    Routing routing = route_choices(tape, choices, weights, probabilities, dropping_.rule(choices, context));
    if (entropy_coefficient_ > 0.0F) {
      const Tensor entropy = mean_entropy(tape, scores, probabilities, context);
      routing.terms.push_back({"policy_entropy", ops::scale(tape, entropy, -entropy_coefficient_), entropy.item()});
    }
    return routing;
  }

  std::vector<Parameter> parameters() const override {
    return {{"baseline.weight", baseline_weight_, true}, {"baseline.bias", baseline_bias_, false}};
  }

 private:
  // With baseline b and drawn expert i, each row adds share (loss - b) d log p_i / dh to the gradient of its scores
  // (Williams 1992), and share coef d (loss - b)^2 to that of the baseline. The weights are constants: their node is
  // where the backward pass comes by, once the losses are known.
  void record_policy_gradient(Tape& tape, const Tensor& weights, const Tensor& scores, const Tensor& probabilities,
                              const Choices& choices, const RouterContext& context) const {
    if (context.feedback == nullptr || !tape.recording()) return;
    WITAN_ASSERT(context.rows != nullptr);
    Tape off;
    const Tensor rows = context.rows->detached();
    const Tensor baseline = ops::linear(off, rows, baseline_weight_.detached(), baseline_bias_.detached());
    tape.record(weights, [feedback = context.feedback, dh = scores.grad(), p = probabilities.detached(), baseline, rows,
                          experts = choices.experts, dweight = baseline_weight_.grad(), dbias = baseline_bias_.grad(),
                          coefficient = baseline_coefficient_] {
      if (feedback->losses.empty()) return;
      WITAN_ASSERT(feedback->losses.size() == experts.size());
      const std::span<float> sums = dh.accumulator();
      const std::span<float> weight_sums = dweight.accumulator();
      const std::span<float> bias_sum = dbias.accumulator();
      const auto count = index(p.cols());
      for (std::size_t row = 0; row < experts.size(); ++row) {
        if (experts[row] == kNoExpert) continue;
        const float surprise = feedback->losses[row] - baseline.values()[row];
        const float pull = feedback->share * surprise;
        for (std::size_t e = 0; e < count; ++e) sums[row * count + e] -= pull * p.values()[row * count + e];
        sums[row * count + index(experts[row])] += pull;

        const float slope = -2.0F * coefficient * feedback->share * surprise;
        const float* const x = rows.matrix().row(static_cast<std::int64_t>(row));
        for (std::size_t d = 0; d < weight_sums.size(); ++d) weight_sums[d] += slope * x[d];
        bias_sum[0] += slope;
      }
    });
  }

  float entropy_coefficient_;
  float baseline_coefficient_;
  Tensor baseline_weight_;  // [1, D]
  Tensor baseline_bias_;    // [1]
  Dropping dropping_;
};

std::unique_ptr<Router> make_reinforced(const RouterOptions& options, std::int64_t hidden_size, Random& /*random*/) {
  check_choices("reinforced", options, false);
  if (options.num_experts_per_tok != 1) {
    fail("router.reinforced: num_experts_per_tok={}, expected 1: this router sends each row to one expert",
         options.num_experts_per_tok);
  }
  return std::make_unique<ReinforcedRouter>(options, hidden_size);
}

}  // namespace

RouterEntry reinforced_router() {
  return {
      .name = "reinforced",
      .summary = "one expert drawn from a policy, which learns by REINFORCE from the row's own loss (RL-R)",
      .formula =
          "i ~ softmax(h); w = 1; gradient of h: (loss - b) (1_i - p); b = v x + c learns (loss - b)^2; bonus "
          "for the entropy of p",
      .paper = "Clark et al. 2022 (RL-R); Williams 1992",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the expert of the largest score; dropless unless eval_capacity_factor is set",
      .cost = "E per row, and D for the baseline",
      .fixed_experts_per_tok = 1,
      .options = {{.name = "reinforced_entropy_coef",
                   .value = 0.01,
                   .help = "Coefficient of the policy's mean entropy, which is rewarded; 0: off",
                   .minimum = 0.0,
                   .maximum = 1e6},
                  {.name = "reinforced_baseline_coef",
                   .value = 0.1,
                   .help = "Coefficient of the squared error of the baseline",
                   .minimum = 0.0,
                   .maximum = 1e6}},
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_reinforced,
  };
}

}  // namespace witan
