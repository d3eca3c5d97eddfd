// Quantile routing: each expert's scores are lowered by an offset such that, after top-k, all experts get about the
// same number of rows. The offsets are prices of the linear program of router linear_program, found by coordinate
// ascent.
#include <algorithm>
#include <numeric>

#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "kernels/select.h"
#include "routers/global_choice.h"
#include "routers/row_grain.h"
#include "routers/step_average.h"
#include "routers/table.h"

namespace witan {
namespace {

// values [T, E] less offsets [E].
Tensor lowered(const Tensor& values, std::span<const float> offsets) {
  Tensor y = Tensor::uninitialized(values.shape());
  parallel_for(values.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::size_t e = 0; e < offsets.size(); ++e)
        y.matrix().row(row)[e] = values.matrix().row(row)[e] - offsets[e];
    }
  });
  return y;
}

// Midway between the n-th largest and the next: `values` are put in disorder. 1 <= n < size.
float cut(std::span<float> values, std::int64_t n) {
  const auto middle = values.begin() + n;
  std::nth_element(values.begin(), middle, values.end(), std::greater<>());
  const float above = *std::min_element(values.begin(), middle);
  return 0.5F * above + 0.5F * *middle;
}

// Minimises sum_t k a_t + sum_e (k T / E) b_e + sum max(0, h - a_t - b_e) by turns: a row's a is where its k-th best
// expert ends, an expert's b where its share of the rows ends. Returns b, of mean 0.
PooledVector<float> balancing_offsets(const Tensor& benefits, std::int64_t k, std::int64_t rounds) {
  const std::int64_t rows = benefits.rows();
  const std::int64_t experts = benefits.cols();
  PooledVector<float> offsets(index(experts), 0.0F);
  const std::int64_t share = std::max<std::int64_t>(1, (2 * rows * k + experts) / (2 * experts));  // k T / E, rounded
  if (k == experts || share >= rows) return offsets;
  PooledVector<std::int32_t> ranked(index(rows * (k + 1)));
  PooledVector<float> values(ranked.size());
  PooledVector<float> row_cuts(index(rows));
  for (std::int64_t round = 0; round < rounds; ++round) {
    kernels::top_k(lowered(benefits, offsets).matrix(), k + 1, ranked, values);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* const best = values.data() + row * (k + 1);
      row_cuts[index(row)] = 0.5F * best[k - 1] + 0.5F * best[k];
    }
    parallel_for(experts, 1, [&](std::int64_t begin, std::int64_t end) {
      PooledVector<float> column(index(rows));
      for (std::int64_t e = begin; e < end; ++e) {
        for (std::int64_t row = 0; row < rows; ++row) {
          column[index(row)] = benefits.matrix()(row, e) - row_cuts[index(row)];
        }
        offsets[index(e)] = cut(column, share);
      }
    });
    const float mean = std::accumulate(offsets.begin(), offsets.end(), 0.0F) / static_cast<float>(experts);
    for (float& offset : offsets) offset -= mean;
  }
  return offsets;
}

class QuantileRouter final : public Router {
 public:
  explicit QuantileRouter(const RouterOptions& options)
      : k_(options.num_experts_per_tok),
        rounds_(options.router_extra.integer("quantile_rounds")),
        saved_(options.num_experts),
        dropping_(options, capacity_factors(options, kDropless)) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    Choices choices;
    if (context.training) {
      const Benefits benefits = row_benefits(scores, context);
      const PooledVector<float> offsets = balancing_offsets(benefits.values, k_, rounds_);
      if (!benefits.rows.empty()) saved_.observe(offsets);
      const Choices chosen = choose_top_k(lowered(benefits.values, offsets), k_, {});
      choices = spread_choices(benefits, chosen.experts, scores.rows(), k_);
    } else {
      choices = choose_top_k(saved_.empty() ? scores : lowered(scores, saved_.values()), k_, context.row_mask);
    }
    const Tensor probabilities = ops::softmax(tape, scores);
    const Tensor weights = raw_weights(tape, scores, probabilities, choices);
    return route_choices(tape, choices, weights, probabilities, dropping_.rule(choices, context));
  }

  std::vector<Parameter> buffers() const override { return saved_.buffers("offsets"); }
  void after_step(std::span<const std::int64_t> /*requested_rows*/) override { saved_.after_step(); }

 private:
  std::int64_t k_;
  std::int64_t rounds_;
  StepAverage saved_;
  Dropping dropping_;
};

}  // namespace

RouterEntry quantile_router() {
  return {
      .name = "quantile",
      .summary = "the k largest scores, each less an offset of its expert that evens out the loads of the batch",
      .formula =
          "S = the k largest h_i - b_i; b_i: the 1 - k / E quantile over rows of h_i - a_t, a_t: the cut after "
          "the k-th best of h - b; w = sigmoid(h_i) if k = 1, else softmax(h)_i",
      .paper = "Sun 2025 (balance by binary integer programming); dual of Lewis et al. 2021",
      .causality = "not safe: in training the offsets come from all rows of the batch",
      .inference_rule =
          "offsets averaged over about the last ten steps, saved with the model; dropless unless "
          "eval_capacity_factor is set",
      .cost = "about 10 E per row and round",
      .options = {{.name = "quantile_rounds",
                   .value = std::int64_t{8},
                   .help = "Rounds of coordinate ascent over rows and experts",
                   .minimum = 1,
                   .maximum = 1000}},
      .causal_safe = [](const RouterOptions& /*options*/) { return false; },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& /*random*/) -> std::unique_ptr<Router> {
        check_choices("quantile", options, false);
        return std::make_unique<QuantileRouter>(options);
      },
  };
}

}  // namespace witan
