// Checked top-k, capacity, and the Routing made of both.
#include "routers/token_choice.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "kernels/select.h"
#include "routers/not_finite.h"

namespace witan {

namespace {

// largest: that of row r at r * stride.
void check_rows(std::int64_t nan_row, std::span<const float> largest, std::int64_t stride) {
  if (nan_row >= 0) {
    throw ScoresNotFinite(
        fmt::format("router: the scores of row {} hold a NaN: the layers below have diverged", nan_row));
  }
  const auto rows = static_cast<std::int64_t>(largest.size()) / stride;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float value = largest[static_cast<std::size_t>(row * stride)];
    if (std::isfinite(value)) continue;
    throw ScoresNotFinite(fmt::format("router: the largest score of row {} is {}, expected a finite one", row, value));
  }
}

}  // namespace

Choices choose_top_k(const Tensor& scores, std::int64_t k, std::span<const std::uint8_t> row_mask) {
  WITAN_ASSERT(k >= 1 && k <= scores.cols());
  WITAN_ASSERT(row_mask.empty() || static_cast<std::int64_t>(row_mask.size()) == scores.rows());
  Choices choices{scores.rows(), scores.cols(), k, {}};
  choices.experts.resize(static_cast<std::size_t>(choices.num_slots()));
  PooledVector<float> values(choices.experts.size());
  check_rows(kernels::top_k(scores.matrix(), k, choices.experts, values), values, k);
  for (std::size_t row = 0; row < row_mask.size(); ++row) {
    if (row_mask[row] == 0) std::fill_n(choices.experts.begin() + static_cast<std::int64_t>(row) * k, k, kNoExpert);
  }
  return choices;
}

void check_scores(const Tensor& scores) {
  PooledVector<std::int32_t> first(static_cast<std::size_t>(scores.rows()));
  PooledVector<float> largest(first.size());
  check_rows(kernels::top_k(scores.matrix(), 1, first, largest), largest, 1);
}

std::int64_t count_rows(std::int64_t num_rows, std::span<const std::uint8_t> row_mask) {
  return num_rows - std::count(row_mask.begin(), row_mask.end(), std::uint8_t{0});
}

CapacityFactors capacity_factors(const RouterOptions& options, const CapacityFactors& defaults) {
  const auto either = [](const char* name, double given, double fallback) {
    if (given == RouterOptions::kRouterDefault) return fallback;
    if (!(given >= 0.0)) fail("router: {}={}, expected -1 (the router's own), 0 (dropless) or more", name, given);
    return given;
  };
  return {either("capacity_factor", options.capacity_factor, defaults.training),
          either("eval_capacity_factor", options.eval_capacity_factor, defaults.evaluation)};
}

Dropping::Dropping(const RouterOptions& options, const CapacityFactors& factors)
    : evaluation_fraction_(options.eval_capacity_fraction),
      reroute_(options.overflow == "next_best"),
      policy_(&find_drop_policy(options.drop_policy)) {
  if (!(evaluation_fraction_ >= 0.0 && evaluation_fraction_ <= 1.0)) {
    fail("router: eval_capacity_fraction={}, expected 0 (off) to 1", evaluation_fraction_);
  }
  const CapacityRounding rounding = parse_capacity_rounding(options.capacity_rounding);
  training_ = {factors.training, rounding, options.min_capacity};
  evaluation_ = {factors.evaluation, rounding, options.min_capacity};
}

void Dropping::set_rounding(CapacityRounding rounding, std::int64_t multiple) {
  for (CapacityRule* const rule : {&training_, &evaluation_}) {
    rule->rounding = rounding;
    rule->multiple = multiple;
  }
}

std::int64_t Dropping::capacity(std::int64_t rows, std::int64_t k, std::int64_t num_experts, bool training) const {
  if (!training && evaluation_fraction_ > 0.0) return fraction_capacity(evaluation_fraction_, rows);
  return expert_capacity(training ? training_ : evaluation_, rows * k, num_experts);
}

DropRule Dropping::rule(const Choices& choices, const RouterContext& context) const {
  const std::int64_t rows = count_rows(choices.num_rows, context.row_mask);
  return {capacity(rows, choices.experts_per_row, choices.num_experts, context.training), policy_,
          context.training ? context.random : nullptr, reroute_};
}

bool may_drop(const RouterOptions& options, const CapacityFactors& defaults) {
  const CapacityFactors factors = capacity_factors(options, defaults);
  return factors.training != 0.0 || factors.evaluation != 0.0 || options.eval_capacity_fraction != 0.0;
}

bool drops_causally(const RouterOptions& options, const CapacityFactors& defaults) {
  return !may_drop(options, defaults) || find_drop_policy(options.drop_policy).causal_safe(options.num_experts_per_tok);
}

void check_choices(const char* router, const RouterOptions& options, bool renormalized) {
  const std::int64_t k = options.num_experts_per_tok;
  if (k > options.num_experts) {
    fail("router.{}: num_experts_per_tok={} exceeds num_experts={}", router, k, options.num_experts);
  }
  if (k == 1 && options.num_experts > 1 && renormalized && !options.allow_constant_weight) {
    fail(
        "router.{}: with num_experts_per_tok=1 the weight of the only choice is divided by itself: it is constant and "
        "the router gets no gradient; expected more experts per row, or a weighting such as 'softmax_then_topk'",
        router);
  }
}

Routing route_choices(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                      const DropRule& drop) {
  return route_served(tape, choices, weights, probabilities, serve(choices, weights.values(), drop));
}

Routing route_served(Tape& tape, const Choices& choices, const Tensor& weights, const Tensor& probabilities,
                     const ServedSlots& served) {
  SortedChoices sorted = sort_served(choices, weights.values(), served);
  return {.assignment = std::move(sorted.assignment),
          .combine_weights = gather_slots(tape, weights, std::move(sorted.slots)),
          .probabilities = probabilities};
}

Routing route_weighted(Tape& tape, Choices choices, ConstMatrix selection, const Tensor& scores,
                       const Tensor& probabilities, const WeightingRule& weighting, const DropRule& drop) {
  Tensor weights = choice_weights(tape, scores, probabilities, choices, weighting);
  if (!drop.reroute) return route_choices(tape, choices, weights, probabilities, drop);
  const ServedSlots served = serve_or_reroute(choices, selection, weights.values(), drop);
  if (!served.empty()) weights = choice_weights(tape, scores, probabilities, choices, weighting);
  return route_served(tape, choices, weights, probabilities, served);
}

}  // namespace witan
