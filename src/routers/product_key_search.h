// The best of n^2 experts whose scores are sums of two halves, without making all sums.
#pragma once

#include <cstdint>
#include <memory>

#include "autograd/tape.h"

namespace witan {

struct BestPairs {
  std::shared_ptr<const PooledVector<std::int32_t>> experts;  // [N * k], i * n + j, best first
  Tensor scores;                                              // [N, k], first[i] + second[j], with gradient
};

// first and second [N, n], 1 <= k <= n^2 -> the k largest first[i] + second[j] of each row, ties to the lowest
// i * n + j: what a search of all n^2 finds, from the k best of each half. Lample et al. 2019, section 3.2. Throws
// Error naming row / rows_per_name for scores that are not finite (rows_per_name queries belong to one row).
BestPairs find_best_pairs(Tape& tape, const Tensor& first, const Tensor& second, std::int64_t k,
                          std::int64_t rows_per_name = 1);

}  // namespace witan
