// The smooth load, forward and backward.
#include "routers/smooth_load.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "kernels/select.h"

namespace witan {
namespace {

constexpr std::int64_t kLoadGrain = 64;

// The k + 1 best experts of each row, best first.
struct Best {
  PooledVector<std::int32_t> experts;  // [T, k + 1]
  std::int64_t width;

  // The expert whose noisy score `expert` must beat: the last of the row's k best others.
  std::int32_t rival(std::int64_t row, std::int32_t expert) const {
    const auto begin = experts.begin() + row * width;
    const bool selected = std::find(begin, begin + width - 1, expert) != begin + width - 1;
    return begin[selected ? width - 1 : width - 2];
  }
};

Best best_of(const Tensor& scores, std::int64_t width) {
  Best best{PooledVector<std::int32_t>(index(scores.rows() * width)), width};
  const std::int64_t nan_row = kernels::top_k(scores.matrix(), width, best.experts);
  WITAN_ASSERT(nan_row < 0);  // who selects by these scores has refused them
  return best;
}

float normal_cdf(float x) { return 0.5F * std::erfc(-x * std::numbers::sqrt2_v<float> / 2.0F); }
float normal_density(float x) { return std::exp(-0.5F * x * x) * 0.3989422804F; }

// How many deviations the expert's clean score stands above its rival's noisy one. Scores of -inf give an infinite
// distance, or NaN when both are: such an expert is not chosen.
float distance(const Tensor& clean, const NoisyScores& noisy, const Best& best, std::int64_t row, std::int32_t expert) {
  const float threshold = noisy.scores.matrix()(row, best.rival(row, expert));
  return (clean.matrix()(row, expert) - threshold) / noisy.deviations.matrix()(row, expert);
}

Tensor counted_load(const Tensor& scores, std::int64_t k, std::span<const std::uint8_t> counts, std::int64_t groups) {
  Tensor load = Tensor::zeros({groups, scores.cols()});
  const Best best = best_of(scores, k);
  for (std::int64_t row = 0; row < scores.rows(); ++row) {
    if (!counts.empty() && counts[index(row)] == 0) continue;
    for (std::int64_t rank = 0; rank < k; ++rank) {
      const std::int32_t expert = best.experts[index(row * k + rank)];
      if (std::isfinite(scores.matrix()(row, expert))) load.matrix()(row % groups, expert) += 1.0F;
    }
  }
  return load;
}

}  // namespace

Tensor smooth_load(Tape& tape, const Tensor& clean, const NoisyScores& noisy, std::int64_t k,
                   std::span<const std::uint8_t> counts, std::int64_t groups) {
  const std::int64_t rows = clean.rows();
  const std::int64_t experts = clean.cols();
  WITAN_ASSERT(k >= 1 && k <= experts && groups >= 1 && rows % groups == 0);
  WITAN_ASSERT(counts.empty() || static_cast<std::int64_t>(counts.size()) == rows);
  if (!noisy.deviations.defined() || k == experts) return counted_load(noisy.scores, k, counts, groups);

  Best best = best_of(noisy.scores, k + 1);
  const Tensor chances = Tensor::zeros(clean.shape());
  parallel_for(rows, kLoadGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (!counts.empty() && counts[index(row)] == 0) continue;
      for (std::int32_t e = 0; e < experts; ++e) {
        const float u = distance(clean, noisy, best, row, e);
        chances.matrix()(row, e) = std::isnan(u) ? 0.0F : normal_cdf(u);
      }
    }
  });
  PooledVector<double> sums(index(groups * experts), 0.0);
  for (std::int64_t row = 0; row < rows; ++row) {
    double* const sum = sums.data() + (row % groups) * experts;
    for (std::int64_t e = 0; e < experts; ++e) sum[e] += static_cast<double>(chances.matrix()(row, e));
  }
  Tensor load = tape.output({groups, experts}, {&clean, &noisy.scores, &noisy.deviations});
  std::ranges::transform(sums, load.data(), [](double sum) { return static_cast<float>(sum); });

  tape.record(load, [dload = load.grad(), dclean = clean.grad(), dscores = noisy.scores.grad(),
                     ddeviations = noisy.deviations.grad(), clean = clean.detached(),
                     noisy = NoisyScores{noisy.scores.detached(), noisy.deviations.detached()}, best = std::move(best),
                     mask = PooledVector<std::uint8_t>(counts.begin(), counts.end()), groups] {
    // Of the shape of the tensor here: that of the gradient is another when the tensor was reshaped.
    const auto matrix_of = [&clean](const Gradient& gradient) {
      if (!gradient.wanted()) return Matrix{};
      return Matrix{gradient.accumulator().data(), clean.rows(), clean.cols()};
    };
    const Matrix to_clean = matrix_of(dclean);
    const Matrix to_scores = matrix_of(dscores);
    const Matrix to_deviations = matrix_of(ddeviations);
    parallel_for(clean.rows(), kLoadGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        if (!mask.empty() && mask[index(row)] == 0) continue;
        for (std::int32_t e = 0; e < clean.cols(); ++e) {
          const float u = distance(clean, noisy, best, row, e);
          if (!std::isfinite(u)) continue;
          const float slope = dload.matrix()(row % groups, e) * normal_density(u) / noisy.deviations.matrix()(row, e);
          if (to_clean.data != nullptr) to_clean(row, e) += slope;
          if (to_scores.data != nullptr) to_scores(row, best.rival(row, e)) -= slope;
          if (to_deviations.data != nullptr) to_deviations(row, e) -= slope * u;
        }
      }
    });
  });
  return load;
}

}  // namespace witan
