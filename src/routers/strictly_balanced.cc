// Strictly balanced gating: in training each expert takes its m best rows, so that all loads are equal; thresholds
// learned beside it let each row choose alone in inference.
#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace witan {
namespace {

using Mask = PooledVector<std::uint8_t>;  // [T, E]

// The m rows of each column with the largest probability; ties go to the lowest row. A probability of 0 is not taken.
Mask best_rows(const Matrix& p, std::int64_t m, std::span<const std::uint8_t> row_mask) {
  Mask mask(index(p.size()), 0);
  parallel_for(p.cols, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<std::int32_t> rows;
    for (std::int64_t e = begin; e < end; ++e) {
      rows.clear();
      for (std::int32_t row = 0; row < p.rows; ++row) {
        if ((row_mask.empty() || row_mask[index(row)] != 0) && p(row, e) > 0.0F) rows.push_back(row);
      }
      const auto last = rows.begin() + std::min(m, static_cast<std::int64_t>(rows.size()));
      std::nth_element(rows.begin(), last, rows.end(), [&](std::int32_t a, std::int32_t b) {
        return p(a, e) > p(b, e) || (p(a, e) == p(b, e) && a < b);
      });
      for (auto row = rows.begin(); row != last; ++row) mask[index(*row * p.cols + e)] = 1;
    }
  });
  return mask;
}

Mask above_thresholds(const Matrix& p, std::span<const float> thresholds, std::span<const std::uint8_t> row_mask) {
  Mask mask(index(p.size()), 0);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    if (!row_mask.empty() && row_mask[index(row)] == 0) continue;
    for (std::int64_t e = 0; e < p.cols; ++e) {
      mask[index(row * p.cols + e)] = static_cast<std::uint8_t>(p(row, e) > thresholds[index(e)]);
    }
  }
  return mask;
}

// Each row's experts of the mask, by descending probability.
Choices choices_of(const Mask& mask, const Matrix& p) {
  std::int64_t width = 1;
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const auto begin = mask.begin() + row * p.cols;
    width = std::max<std::int64_t>(width, std::count(begin, begin + p.cols, std::uint8_t{1}));
  }
  Choices choices{p.rows, p.cols, width, {}};
  choices.experts.assign(index(choices.num_slots()), kNoExpert);
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const auto begin = choices.experts.begin() + row * width;
    auto end = begin;
    for (std::int32_t e = 0; e < p.cols; ++e) {
      if (mask[index(row * p.cols + e)] != 0) *end++ = e;
    }
    std::stable_sort(begin, end, [&](std::int32_t a, std::int32_t b) { return p(row, a) > p(row, b); });
  }
  return choices;
}

// mean over rows of sum_e (M_threshold - M_batch) (p - T), which is 0 when the masks agree and else positive. Its
// gradient goes to the thresholds alone: they follow the batch, not the batch them.
Tensor threshold_loss(Tape& tape, const Matrix& p, const Tensor& thresholds, const Mask& above, const Mask& batch,
                      std::int64_t rows) {
  const double share = 1.0 / static_cast<double>(std::max<std::int64_t>(rows, 1));
  PooledVector<float> slopes(index(p.cols), 0.0F);
  double sum = 0.0;
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t e = 0; e < p.cols; ++e) {
      const std::size_t at = index(row * p.cols + e);
      const int difference = static_cast<int>(above[at]) - static_cast<int>(batch[at]);
      if (difference == 0) continue;
      sum += difference * (static_cast<double>(p(row, e)) - static_cast<double>(thresholds.data()[e]));
      slopes[index(e)] -= static_cast<float>(difference);
    }
  }
  for (float& slope : slopes) slope *= static_cast<float>(share);
  Tensor y = tape.output({}, {&thresholds});
  y.data()[0] = static_cast<float>(sum * share);
  tape.record(y, [dy = y.grad(), dt = thresholds.grad(), slopes = std::move(slopes)] {
    const std::span<float> gradient = dt.accumulator();
    for (std::size_t e = 0; e < slopes.size(); ++e) gradient[e] += dy.values()[0] * slopes[e];
  });
  return y;
}

class StrictlyBalancedRouter final : public Router {
 public:
  explicit StrictlyBalancedRouter(const RouterOptions& options)
      : k_(options.num_experts_per_tok),
        coefficient_(static_cast<float>(options.router_extra.real("threshold_loss_coef"))),
        dropping_(options, capacity_factors(options, kDropless)) {
    // Of all rows equally sure of all experts none passes; a single expert takes every row.
    const float start = options.num_experts == 1 ? 0.0F : 1.0F / static_cast<float>(options.num_experts);
    thresholds_ = Tensor::full({options.num_experts}, start);
    thresholds_.set_requires_grad(true);
  }

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    const WeightingRule rule{.weighting = Weighting::kTopKThenSoftmax};  // p, masked, divided by its sum
    const Tensor probabilities = routing_probabilities(tape, scores, rule.weighting);
    const Matrix p = probabilities.matrix();
    const std::int64_t rows = count_rows(scores.rows(), context.row_mask);
    const Mask above = above_thresholds(p, thresholds_.values(), context.row_mask);
    Mask batch;
    if (context.training) batch = best_rows(p, rows_per_expert(rows, scores.cols()), context.row_mask);

    Choices choices = choices_of(context.training ? batch : above, p);
    DropRule drop = dropping_.rule(choices, context);
    drop.capacity = dropping_.capacity(rows, k_, scores.cols(), context.training);  // a row may have more than k
    Routing routing = route_weighted(tape, std::move(choices), scores.matrix(), scores, probabilities, rule, drop);
    if (context.training && coefficient_ > 0.0F) {
      const Tensor loss = threshold_loss(tape, p, thresholds_, above, batch, rows);
      routing.terms.push_back({"threshold", ops::scale(tape, loss, coefficient_), loss.item()});
    }
    return routing;
  }

  std::vector<Parameter> parameters() const override { return {{"thresholds", thresholds_, false}}; }

 private:
  // m = k T / E, to the nearest whole number, at least one row while there are any.
  std::int64_t rows_per_expert(std::int64_t rows, std::int64_t experts) const {
    const double exact = static_cast<double>(k_ * rows) / static_cast<double>(experts);
    return std::min(rows, std::max<std::int64_t>(1, std::llround(exact)));
  }

  std::int64_t k_;
  float coefficient_;
  Dropping dropping_;
  Tensor thresholds_;  // [E]
};

}  // namespace

RouterEntry strictly_balanced_router() {
  return {
      .name = "strictly_balanced",
      .summary =
          "in training each expert takes its k T / E best rows; in inference a row takes the experts above their "
          "learned thresholds",
      .formula =
          "p = softmax(h); M_batch: the k T / E largest p of each expert, M_threshold: p_i > T_i; w = p M / sum of "
          "p M; T learns from threshold_loss_coef sum (M_threshold - M_batch)(p - T)",
      .paper = "Shazeer et al. 2017, appendix F",
      .causality = "not safe in training: rows compete for an expert's places; safe in inference",
      .inference_rule = "learned thresholds: a row may get any number of experts, or none",
      .cost = "E per row (selection in linear time)",
      .options = {{.name = "threshold_loss_coef",
                   .value = 1.0,
                   .help = "Coefficient of the loss that the thresholds of the router strictly_balanced learn from",
                   .minimum = 0.0,
                   .maximum = 1e6}},
      .causal_safe = [](const RouterOptions& options) { return options.num_experts == 1; },
      .make = [](const RouterOptions& options, std::int64_t, Random&) -> std::unique_ptr<Router> {
        check_choices("strictly_balanced", options, false);
        return std::make_unique<StrictlyBalancedRouter>(options);
      },
  };
}

}  // namespace witan
