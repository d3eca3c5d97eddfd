// Search by halves.
#include "routers/product_key_search.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "kernels/select.h"
#include "routers/not_finite.h"

namespace witan {
namespace {

constexpr std::int64_t kQueryGrain = 32;

struct HalfBest {
  PooledVector<std::int32_t> keys;  // [N * width]
  PooledVector<float> values;
};

HalfBest best_of_half(const Tensor& scores, std::int64_t width, std::int64_t rows_per_name) {
  HalfBest best{PooledVector<std::int32_t>(index(scores.rows() * width)),
                PooledVector<float>(index(scores.rows() * width))};
  std::int64_t bad = kernels::top_k(scores.matrix(), width, best.keys, best.values);
  for (std::int64_t row = 0; bad < 0 && row < scores.rows(); ++row) {
    if (!std::isfinite(best.values[index(row * width)])) bad = row;
  }
  if (bad >= 0) {
    throw ScoresNotFinite(fmt::format("router: the scores of row {} are not finite: the layers below have diverged",
                                      bad / rows_per_name));
  }
  return best;
}

struct ScoredPair {
  float score;
  std::int32_t expert;
};

bool scores_higher(const ScoredPair& a, const ScoredPair& b) {
  return a.score != b.score ? a.score > b.score : a.expert < b.expert;
}

}  // namespace

BestPairs find_best_pairs(Tape& tape, const Tensor& first, const Tensor& second, std::int64_t k,
                          std::int64_t rows_per_name) {
  const std::int64_t n = first.cols();
  WITAN_ASSERT(first.shape() == second.shape() && k >= 1 && k <= n * n);
  const std::int64_t width = std::min(k, n);
  const HalfBest a = best_of_half(first, width, rows_per_name);
  const HalfBest b = best_of_half(second, width, rows_per_name);
  const auto experts = std::allocate_shared<PooledVector<std::int32_t>>(PoolAllocator<PooledVector<std::int32_t>>(),
                                                                        index(first.rows() * k));
  Tensor scores = tape.output({first.rows(), k}, {&first, &second});
  parallel_for(first.rows(), kQueryGrain, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<ScoredPair> pairs;
    for (std::int64_t row = begin; row < end; ++row) {
      pairs.clear();
      // The pair of ranks (i, j) has (i + 1)(j + 1) - 1 pairs before it that are at least as good.
      for (std::int64_t i = 0; i < width; ++i) {
        for (std::int64_t j = 0; j < std::min(width, k / (i + 1)); ++j) {
          const std::int32_t key = a.keys[index(row * width + i)];
          pairs.push_back({a.values[index(row * width + i)] + b.values[index(row * width + j)],
                           static_cast<std::int32_t>(key * n + b.keys[index(row * width + j)])});
        }
      }
      std::partial_sort(pairs.begin(), pairs.begin() + k, pairs.end(), scores_higher);
      for (std::int64_t i = 0; i < k; ++i) {
        (*experts)[index(row * k + i)] = pairs[index(i)].expert;
        scores.matrix()(row, i) = pairs[index(i)].score;
      }
    }
  });
  tape.record(scores, [experts, d_scores = scores.grad(), d_first = first.grad(), d_second = second.grad(), n, k] {
    const std::span<float> first_sums = d_first.wanted() ? d_first.accumulator() : std::span<float>();
    const std::span<float> second_sums = d_second.wanted() ? d_second.accumulator() : std::span<float>();
    const Matrix given = d_scores.matrix();
    parallel_for(given.rows, kQueryGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t i = 0; i < k; ++i) {
          const std::int32_t expert = (*experts)[index(row * k + i)];
          if (!first_sums.empty()) first_sums[index(row * n + expert / n)] += given(row, i);
          if (!second_sums.empty()) second_sums[index(row * n + expert % n)] += given(row, i);
        }
      }
    });
  });
  return {experts, scores};
}

}  // namespace witan
