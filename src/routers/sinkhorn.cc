// S-BASE: in training rows choose from a plan that is scaled to give every expert the same share of the batch.
#include <cmath>

#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/parallel.h"
#include "routers/global_choice.h"
#include "routers/row_grain.h"
#include "routers/sinkhorn_scaling.h"
#include "routers/table.h"

namespace witan {
namespace {

class SinkhornRouter final : public Router {
 public:
  explicit SinkhornRouter(const RouterOptions& options)
      : k_(options.num_experts_per_tok),
        scaling_{static_cast<float>(options.router_extra.real("sinkhorn_tolerance")),
                 options.router_extra.integer("sinkhorn_rounds")},
        dropping_(options, capacity_factors(options, kDropless)) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    const Tensor probabilities = ops::softmax(tape, scores);
    const Tensor chosen_by = context.training ? planned(scores, probabilities, context) : scores;
    const Choices choices = choose_top_k(chosen_by, k_, context.row_mask);
    const Tensor weights = raw_weights(tape, scores, probabilities, choices);
    return route_choices(tape, choices, weights, probabilities, dropping_.rule(choices, context));
  }

 private:
  // log plan, but for a constant per row. Softmax is exp(h - row max) scaled by rows already.
  Tensor planned(const Tensor& scores, const Tensor& probabilities, const RouterContext& context) const {
    const SinkhornScaling scaling = sinkhorn_scaling(probabilities.matrix(), context.row_mask, scaling_);
    PooledVector<float> offsets(scaling.columns.size());
    for (std::size_t e = 0; e < offsets.size(); ++e) offsets[e] = std::log(scaling.columns[e]);
    Tensor y = Tensor::uninitialized(scores.shape());
    parallel_for(scores.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::size_t e = 0; e < offsets.size(); ++e)
          y.matrix().row(row)[e] = scores.matrix().row(row)[e] + offsets[e];
      }
    });
    return y;
  }

  std::int64_t k_;
  SinkhornOptions scaling_;
  Dropping dropping_;
};

}  // namespace

RouterEntry sinkhorn_router() {
  return {
      .name = "sinkhorn",
      .summary = "in training the k largest entries of a plan with uniform marginals (S-BASE)",
      .formula =
          "S = the k largest of diag(u) exp(h) diag(v), rows summing to 1 / T, columns to 1 / E; w = sigmoid(h_i) "
          "if k = 1, else softmax(h)_i",
      .paper = "Clark et al. 2022 (S-BASE); Sinkhorn and Knopp 1967",
      .causality = "not safe: in training the plan is scaled over all rows of the batch",
      .inference_rule = "the k largest scores; dropless unless eval_capacity_factor is set",
      .cost = "E times the rounds of scaling, mostly 5 to 30, per row",
      .options = {{.name = "sinkhorn_tolerance",
                   .value = 1e-4,
                   .help = "Largest relative error of an expert's share of the plan",
                   .minimum = 1e-6,
                   .maximum = 1.0},
                  {.name = "sinkhorn_rounds",
                   .value = std::int64_t{200},
                   .help = "Most rounds of scaling",
                   .minimum = 1,
                   .maximum = 100000}},
      .causal_safe = [](const RouterOptions& /*options*/) { return false; },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& /*random*/) -> std::unique_ptr<Router> {
        check_choices("sinkhorn", options, false);
        return std::make_unique<SinkhornRouter>(options);
      },
  };
}

}  // namespace witan
