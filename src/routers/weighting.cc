// Weights of the selection, forward and backward, row by row.
#include "routers/weighting.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "base/suggest.h"
#include "routers/row_grain.h"

namespace witan {
namespace {

struct Named {
  Weighting weighting;
  std::string_view name;
  std::string_view formula;
};

constexpr std::array kNamed = {
    Named{Weighting::kSoftmaxThenTopK, "softmax_then_topk", "w_i = softmax(h)_i"},
    Named{Weighting::kTopKThenSoftmax, "topk_then_softmax", "w_i = exp(h_i) / sum over the selected of exp(h_j)"},
    Named{Weighting::kSoftmaxTopKNorm, "softmax_topk_norm",
          "w_i = p_i / (sum over the selected of p_j^n)^(1/n), p = softmax(h), n = topk_norm_order"},
    Named{Weighting::kSigmoidTopKNorm, "sigmoid_topk_norm",
          "w_i = routed_scaling_factor sigmoid(h_i) / sum over the selected of sigmoid(h_j)"},
    Named{Weighting::kScaled, "scaled", "w_i = routed_scaling_factor softmax(h)_i"},
    Named{Weighting::kSigmoidScaled, "sigmoid_scaled", "w_i = routed_scaling_factor sigmoid(h_i)"},
};

float log_sigmoid(float x) { return std::min(x, 0.0F) - std::log1p(std::exp(-std::fabs(x))); }
float sigmoid(float x) { return std::exp(log_sigmoid(x)); }

// y = exp(x) / sum(exp(x)), in place.
void softmax_in_place(std::span<float> row) {
  const float largest = *std::max_element(row.begin(), row.end());
  float sum = 0.0F;
  for (float& x : row) sum += x = std::exp(x - largest);
  for (float& x : row) x /= sum;
}

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// sigmoid(h) / sum of sigmoid(h), as a softmax over log-sigmoids so that scores far below zero do not divide 0 by 0.
Tensor normalized_sigmoid(Tape& tape, const Tensor& scores) {
  Tensor y = tape.output(scores.shape(), {&scores});
  parallel_for(scores.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* const out = y.matrix().row(row);
      std::transform(scores.matrix().row(row), scores.matrix().row(row) + scores.cols(), out, log_sigmoid);
      softmax_in_place({out, index(scores.cols())});
    }
  });
  tape.record(y, [dy = y.grad(), dscores = scores.grad(), y = y.detached(), scores = scores.detached()] {
    const std::span<float> sum = dscores.accumulator();
    parallel_for(y.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::span<const float> given(dy.matrix().row(row), index(y.cols()));
        const std::span<const float> share(y.matrix().row(row), index(y.cols()));
        const float mean = dot(given, share);
        for (std::size_t e = 0; e < share.size(); ++e) {
          const float slope = 1.0F - sigmoid(scores.matrix().row(row)[e]);  // of log sigmoid
          sum[index(row * y.cols()) + e] += share[e] * (given[e] - mean) * slope;
        }
      }
    });
  });
  return y;
}

// The selection of one row, on the stack of its thread.
struct Selection {
  std::span<const std::int32_t> experts;
  std::span<const float> source;  // the row's scores or probabilities
};

// (sum of p^n)^(1/n), over what is largest: powers of shares of 1 neither overflow nor all vanish, whatever the order.
// Not below the smallest normal number, so that it may be divided by when a gate chose only vanished probabilities.
float norm(const Selection& row, float order) {
  float largest = std::numeric_limits<float>::min();
  for (const std::int32_t e : row.experts) largest = std::max(largest, row.source[index(e)]);
  float sum = 0.0F;
  for (const std::int32_t e : row.experts) sum += std::pow(row.source[index(e)] / largest, order);
  return largest * std::max(1.0F, std::pow(sum, 1.0F / order));
}

void weigh(const WeightingRule& rule, const Selection& row, std::span<float> weights) {
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = row.source[index(row.experts[i])];
  float scale = 1.0F;
  switch (rule.weighting) {
    case Weighting::kSoftmaxThenTopK:
      return;
    case Weighting::kScaled:
      scale = rule.scale;
      break;
    case Weighting::kSoftmaxTopKNorm:
      scale = 1.0F / norm(row, rule.norm_order);
      break;
    case Weighting::kTopKThenSoftmax:
      softmax_in_place(weights);
      return;
    case Weighting::kSigmoidTopKNorm:
      std::transform(weights.begin(), weights.end(), weights.begin(), log_sigmoid);
      softmax_in_place(weights);
      scale = rule.scale;
      break;
    case Weighting::kSigmoidScaled:
      std::transform(weights.begin(), weights.end(), weights.begin(), sigmoid);
      scale = rule.scale;
      break;
  }
  for (float& weight : weights) weight *= scale;
}

// Adds to the gradient of the row's source. weights: what weigh() gave; given: their gradient.
void weigh_backward(const WeightingRule& rule, const Selection& row, std::span<const float> weights,
                    std::span<const float> given, std::span<float> sum) {
  const auto add = [&](std::size_t i, float gradient) { sum[index(row.experts[i])] += gradient; };
  switch (rule.weighting) {
    case Weighting::kSoftmaxThenTopK:
      for (std::size_t i = 0; i < given.size(); ++i) add(i, given[i]);
      return;
    case Weighting::kScaled:
      for (std::size_t i = 0; i < given.size(); ++i) add(i, rule.scale * given[i]);
      return;
    case Weighting::kSoftmaxTopKNorm: {
      // With N the norm and w = p / N: dw_i/dp_j = ((i = j) - w_i w_j^(n-1)) / N.
      const float inverse = 1.0F / norm(row, rule.norm_order);
      const float mean = dot(given, weights);
      for (std::size_t i = 0; i < given.size(); ++i) {
        add(i, inverse * (given[i] - mean * std::pow(weights[i], rule.norm_order - 1.0F)));
      }
      return;
    }
    case Weighting::kTopKThenSoftmax: {
      const float mean = dot(given, weights);
      for (std::size_t i = 0; i < given.size(); ++i) add(i, weights[i] * (given[i] - mean));
      return;
    }
    case Weighting::kSigmoidTopKNorm: {
      const float mean = dot(given, weights) / rule.scale;
      for (std::size_t i = 0; i < given.size(); ++i) {
        add(i, weights[i] * (given[i] - mean) * (1.0F - sigmoid(row.source[index(row.experts[i])])));
      }
      return;
    }
    case Weighting::kSigmoidScaled:
      for (std::size_t i = 0; i < given.size(); ++i) {
        add(i, given[i] * weights[i] * (1.0F - sigmoid(row.source[index(row.experts[i])])));
      }
      return;
  }
}

}  // namespace

std::vector<std::string> weighting_names() {
  std::vector<std::string> names;
  names.reserve(kNamed.size());
  for (const Named& named : kNamed) names.emplace_back(named.name);
  return names;
}

Weighting parse_weighting(std::string_view name) {
  for (const Named& named : kNamed) {
    if (named.name == name) return named.weighting;
  }
  fail("weighting: unknown weighting '{}'{}", name, suggestion(name, weighting_names()));
}

std::string_view weighting_formula(Weighting weighting) {
  return std::find_if(kNamed.begin(), kNamed.end(), [=](const Named& named) { return named.weighting == weighting; })
      ->formula;
}

bool is_sigmoid(Weighting weighting) {
  return weighting == Weighting::kSigmoidTopKNorm || weighting == Weighting::kSigmoidScaled;
}

bool reads_scores(Weighting weighting) { return weighting == Weighting::kTopKThenSoftmax || is_sigmoid(weighting); }

bool is_renormalized(Weighting weighting) {
  return weighting == Weighting::kTopKThenSoftmax || weighting == Weighting::kSoftmaxTopKNorm ||
         weighting == Weighting::kSigmoidTopKNorm;
}

WeightingRule weighting_rule(const RouterOptions& options) {
  return {parse_weighting(options.weighting), static_cast<float>(options.routed_scaling_factor),
          static_cast<float>(options.router_extra.real("topk_norm_order"))};
}

ExtraOption norm_order_option() {
  return {.name = "topk_norm_order",
          .value = 1.0,
          .help = "Order of the norm that the weighting softmax_topk_norm divides by",
          .minimum = 1.0,
          .maximum = 64.0};
}

Tensor routing_probabilities(Tape& tape, const Tensor& scores, Weighting weighting) {
  return is_sigmoid(weighting) ? normalized_sigmoid(tape, scores) : ops::softmax(tape, scores);
}

Tensor choice_weights(Tape& tape, const Tensor& scores, const Tensor& probabilities, const Choices& choices,
                      const WeightingRule& rule) {
  WITAN_ASSERT(scores.rows() == choices.num_rows && scores.cols() == choices.num_experts);
  WITAN_ASSERT(probabilities.shape() == scores.shape());
  WITAN_ASSERT(rule.norm_order >= 1.0F && rule.scale != 0.0F);
  const Tensor& source = reads_scores(rule.weighting) ? scores : probabilities;
  Tensor y = tape.output({choices.num_rows, choices.experts_per_row}, {&source});
  const std::int64_t width = choices.experts_per_row;
  const auto selection = [width](const PooledVector<std::int32_t>& experts, const Tensor& values, std::int64_t row) {
    const auto begin = experts.begin() + row * width;
    return Selection{{begin, std::find(begin, begin + width, kNoExpert)},
                     {values.matrix().row(row), index(values.cols())}};
  };

  parallel_for(choices.num_rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Selection row = selection(choices.experts, source, r);
      const std::span<float> weights(y.matrix().row(r), index(width));
      std::fill(weights.begin(), weights.end(), 0.0F);
      if (!row.experts.empty()) weigh(rule, row, weights.first(row.experts.size()));
    }
  });
  tape.record(y, [dy = y.grad(), dsource = source.grad(), y = y.detached(), source = source.detached(),
                  experts = choices.experts, rule, selection] {
    const std::span<float> sum = dsource.accumulator();
    parallel_for(y.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const Selection row = selection(experts, source, r);
        if (row.experts.empty()) continue;
        weigh_backward(rule, row, {y.matrix().row(r), row.experts.size()}, {dy.matrix().row(r), row.experts.size()},
                       sum.subspan(index(r * source.cols()), index(source.cols())));
      }
    });
  });
  return y;
}

}  // namespace witan
