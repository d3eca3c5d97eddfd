// The chunked loss: logits of a few rows, their softmax with Highway, and at once the two products of the gradient.
#include "kernels/cross_entropy.h"

#include <cmath>
#include <cstdint>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// The largest logit; NaN when any is NaN.
float Largest(const float* logits, std::int64_t count) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  if (count < lanes) {
    float largest = logits[0];
    for (std::int64_t i = 0; i < count; ++i) {
      if (!(logits[i] <= largest)) largest = logits[i];
      if (largest != largest) break;
    }
    return largest;
  }
  auto largest = hn::LoadU(d, logits);
  auto poison = hn::Sub(largest, largest);  // 0, and NaN from NaN and infinities on
  const auto see = [&](std::int64_t i) HWY_ATTR {
    const auto x = hn::LoadU(d, logits + i);
    largest = hn::Max(largest, x);
    poison = hn::Add(poison, hn::Sub(x, x));
  };
  std::int64_t i = lanes;
  for (; i + lanes <= count; i += lanes) see(i);
  if (i < count) see(count - lanes);  // overlaps what was seen, which changes neither
  return hn::GetLane(hn::MaxOfLanes(d, largest)) + hn::GetLane(hn::SumOfLanes(d, poison));
}

// Sum of exp(logits - largest), and those in place of the logits with `keep`. Sums of at most kBlock terms are f32.
double ExpSum(float* logits, std::int64_t count, float largest, bool keep) {
  constexpr std::int64_t kBlock = 1024;
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto shift = hn::Set(d, largest);
  double total = 0.0;
  std::int64_t i = 0;
  while (i + lanes <= count) {
    const std::int64_t end = i + kBlock < count ? i + kBlock : count;
    auto sum = hn::Zero(d);
    for (; i + lanes <= end; i += lanes) {
      const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, logits + i), shift));
      sum = hn::Add(sum, e);
      if (keep) hn::StoreU(e, d, logits + i);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) {
    const auto e = hn::Exp(one, hn::Set(one, logits[i] - largest));
    total += static_cast<double>(hn::GetLane(e));
    if (keep) hn::StoreU(e, one, logits + i);
  }
  return total;
}

void Scale(float* values, std::int64_t count, float factor) {
  const F32 d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(f, hn::LoadU(d, values + i)), d, values + i);
  for (; i < count; ++i) values[i] *= factor;
}

// -log softmax(logits)[target], and the sum of exp(logits - largest), whose terms take the place of the logits with
// `keep`. A logit that is NaN or infinite makes both NaN.
double ExpRow(float* logits, std::int64_t count, std::int32_t target, bool keep, double* sum) {
  const float largest = Largest(logits, count);
  if (largest != largest) return *sum = static_cast<double>(largest);
  const auto at_target = static_cast<double>(logits[target]);
  *sum = ExpSum(logits, count, largest, keep);
  return std::log(*sum) + static_cast<double>(largest) - at_target;
}

// From what ExpRow kept to scale * (softmax - onehot).
void GradientRow(float* terms, std::int64_t count, std::int32_t target, float scale, double sum) {
  if (sum != sum) {
    for (std::int64_t i = 0; i < count; ++i) terms[i] = static_cast<float>(sum);
    return;
  }
  Scale(terms, count, static_cast<float>(static_cast<double>(scale) / sum));
  terms[target] -= scale;
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/gemm.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(ExpRow);
HWY_EXPORT(GradientRow);

namespace {

// Measured at D = 256, V = 4096: fewer rows make the gradient of the weight pass through memory more often than pays,
// more rows push the logits out of the cache.
constexpr std::int64_t kRowsOfAChunk = 256;
constexpr std::int64_t kGrainLogits = 8192;

Matrix rows_of(Matrix matrix, std::int64_t begin, std::int64_t rows) {
  return {matrix.row(begin), rows, matrix.cols, matrix.stride};
}

// What one softmax of a target's mixture says.
struct Component {
  double prior = 1.0;
  double loss = 0.0;  // -log of its probability of the target
  double sum = 0.0;   // of ExpRow
};

void weigh_by_priors(const float* logits, std::span<Component> components) {
  const double largest = static_cast<double>(*std::max_element(logits, logits + components.size()));
  double sum = 0.0;
  for (std::size_t i = 0; i < components.size(); ++i) {
    sum += components[i].prior = std::exp(static_cast<double>(logits[i]) - largest);
  }
  for (Component& component : components) component.prior /= sum;
}

// -log (sum of prior exp(-loss)).
double mixed_loss(std::span<const Component> components) {
  if (components.size() == 1) return components[0].loss;
  double least = components[0].loss;
  for (const Component& component : components) least = std::min(least, component.loss);
  double sum = 0.0;
  for (const Component& component : components) sum += component.prior * std::exp(least - component.loss);
  return least - std::log(sum);
}

// The loss of one target from its K rows of logits, which become their gradient if that is wanted.
double mixture_rows(Matrix logits, std::int32_t target, float scale, bool with_gradient, const float* prior_logits,
                    float* prior_gradient, std::span<Component> components) {
  const auto exp_row = WITAN_DISPATCH(ExpRow);
  for (std::size_t i = 0; i < components.size(); ++i) {
    float* const row = logits.row(static_cast<std::int64_t>(i));
    components[i].loss = exp_row(row, logits.cols, target, with_gradient, &components[i].sum);
  }
  if (prior_logits != nullptr) weigh_by_priors(prior_logits, components);
  const double loss = mixed_loss(components);
  if (!with_gradient) return loss;
  const auto gradient_row = WITAN_DISPATCH(GradientRow);
  for (std::size_t i = 0; i < components.size(); ++i) {
    const Component& component = components[i];
    // Which softmax the target came from: its share of the probability.
    const double share = components.size() == 1 ? 1.0 : component.prior * std::exp(loss - component.loss);
    const float row_scale = static_cast<float>(share * static_cast<double>(scale));
    gradient_row(logits.row(static_cast<std::int64_t>(i)), logits.cols, target, row_scale, component.sum);
    if (prior_gradient != nullptr) {
      prior_gradient[i] = static_cast<float>((component.prior - share) * static_cast<double>(scale));
    }
  }
  return loss;
}

void check(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets, std::span<float> row_losses,
           const SoftmaxMixture& mixture) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  WITAN_ASSERT(hidden.cols == weight.cols && rows * mixture.count() == hidden.rows);
  WITAN_ASSERT(row_losses.empty() || row_losses.size() == targets.size());
  WITAN_ASSERT(mixture.prior_logits.data == nullptr ||
               (mixture.prior_logits.rows == rows && mixture.prior_logits.contiguous()));
}

}  // namespace

double cross_entropy(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses, const CrossEntropyGradients& gradients,
                     const SoftmaxMixture& mixture) {
  check(hidden, weight, targets, row_losses, mixture);
  const Matrix& prior_gradient = mixture.prior_gradient;
  const bool with_gradient =
      gradients.hidden.data != nullptr || gradients.weight.data != nullptr || prior_gradient.data != nullptr;
  const std::int64_t count = mixture.count();
  const auto num_targets = static_cast<std::int64_t>(targets.size());
  const std::int64_t chunk_targets = std::min(std::max<std::int64_t>(1, kRowsOfAChunk / count), num_targets);
  PooledVector<float> logits(static_cast<std::size_t>(chunk_targets * count * weight.rows));
  PooledVector<double> losses(targets.size(), 0.0);
  for (std::int64_t begin = 0; begin < num_targets; begin += chunk_targets) {
    const std::int64_t rows = std::min(chunk_targets, num_targets - begin);
    const ConstMatrix inputs(hidden.row(begin * count), rows * count, hidden.cols, hidden.stride);
    const Matrix chunk(logits.data(), rows * count, weight.rows);
    gemm(Op::kPlain, Op::kTransposed, inputs, weight, 0.0F, chunk);
    parallel_for(rows, row_grain(weight.rows * count, kGrainLogits), [&](std::int64_t first, std::int64_t last) {
      PooledVector<Component> components(static_cast<std::size_t>(count));
      for (std::int64_t r = first; r < last; ++r) {
        const std::int64_t t = begin + r;
        const Matrix target_rows = rows_of(chunk, r * count, count);
        float* const d_prior = prior_gradient.data == nullptr ? nullptr : prior_gradient.row(t);
        if (targets[static_cast<std::size_t>(t)] < 0) {
          std::fill_n(target_rows.data, target_rows.size(), 0.0F);
          if (d_prior != nullptr) std::fill_n(d_prior, count, 0.0F);
          continue;
        }
        const float* const prior = mixture.prior_logits.data == nullptr ? nullptr : mixture.prior_logits.row(t);
        losses[static_cast<std::size_t>(t)] = mixture_rows(target_rows, targets[static_cast<std::size_t>(t)],
                                                           gradients.scale, with_gradient, prior, d_prior, components);
      }
    });
    if (gradients.hidden.data != nullptr) {
      gemm(Op::kPlain, Op::kPlain, chunk, weight, 0.0F, rows_of(gradients.hidden, begin * count, rows * count));
    }
    if (gradients.weight.data != nullptr) {
      gemm(Op::kTransposed, Op::kPlain, chunk, inputs, begin == 0 ? 0.0F : 1.0F, gradients.weight);
    }
  }
  if (hidden.rows == 0 && gradients.weight.data != nullptr) {
    for (std::int64_t v = 0; v < weight.rows; ++v) std::fill_n(gradients.weight.row(v), weight.cols, 0.0F);
  }
  double total = 0.0;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    total += losses[t];
    if (!row_losses.empty()) row_losses[t] = static_cast<float>(losses[t]);
  }
  return total;
}

}  // namespace witan::kernels
#endif
