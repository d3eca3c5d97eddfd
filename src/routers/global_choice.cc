// Benefits, even capacities and weights of the globally assigned routers.
#include "routers/global_choice.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "routers/row_grain.h"
#include "routers/weighting.h"

namespace witan {
namespace {

constexpr float kLeastBenefit = -1e12F;
}  // namespace

Benefits row_benefits(const Tensor& scores, const RouterContext& context) {
  const Choices best = choose_top_k(scores, 1, context.row_mask);
  Benefits benefits;
  for (std::int32_t row = 0; row < scores.rows(); ++row) {
    const std::int32_t expert = best.experts[index(row)];
    if (expert == kNoExpert) continue;
    benefits.rows.push_back(row);
    benefits.favourite.push_back(expert);
  }
  const auto count = static_cast<std::int64_t>(benefits.rows.size());
  benefits.values = Tensor::uninitialized({count, scores.cols()});
  parallel_for(count, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* const row = scores.matrix().row(benefits.rows[index(i)]);
      const float largest = row[benefits.favourite[index(i)]];
      float* const out = benefits.values.matrix().row(i);
      for (std::int64_t e = 0; e < scores.cols(); ++e) out[e] = std::max(row[e] - largest, kLeastBenefit);
    }
  });
  return benefits;
}

Choices spread_choices(const Benefits& benefits, std::span<const std::int32_t> experts, std::int64_t num_rows,
                       std::int64_t k) {
  WITAN_ASSERT(experts.size() == benefits.rows.size() * index(k));
  Choices choices{num_rows, benefits.values.cols(), k, {}};
  choices.experts.resize(index(num_rows * k), kNoExpert);
  for (std::size_t i = 0; i < benefits.rows.size(); ++i) {
    std::copy_n(experts.begin() + static_cast<std::ptrdiff_t>(i) * k, k,
                choices.experts.begin() + benefits.rows[i] * k);
  }
  return choices;
}

PooledVector<std::int64_t> even_capacities(std::span<const std::int32_t> favourite, std::int64_t num_experts) {
  const auto rows = static_cast<std::int64_t>(favourite.size());
  PooledVector<std::int64_t> capacities(index(num_experts), rows / num_experts);
  PooledVector<std::int64_t> demand(index(num_experts), 0);
  for (const std::int32_t expert : favourite) ++demand[index(expert)];
  PooledVector<std::int64_t> order(index(num_experts));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return demand[index(a)] > demand[index(b)]; });
  for (std::int64_t i = 0; i < rows % num_experts; ++i) ++capacities[index(order[index(i)])];
  return capacities;
}

Tensor raw_weights(Tape& tape, const Tensor& scores, const Tensor& probabilities, const Choices& choices) {
  // "softmax_then_topk" takes the chosen elements as they are, here of the scores themselves.
  const WeightingRule taken{.weighting = Weighting::kSoftmaxThenTopK};
  if (choices.experts_per_row > 1 || choices.num_experts == 1) {
    return choice_weights(tape, scores, probabilities, choices, taken);
  }
  return ops::sigmoid(tape, choice_weights(tape, scores, scores, choices, taken));
}

}  // namespace witan
