// Top-k by insertion into a short sorted list, and its reference.
#include "kernels/select.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
namespace {

constexpr std::int64_t kGrain = 8192;  // scores that pay for another thread

void check(ConstMatrix scores, std::int64_t k, std::span<const std::int32_t> indices, std::span<const float> values) {
  WITAN_ASSERT(k >= 1 && k <= scores.cols);
  WITAN_ASSERT(static_cast<std::int64_t>(indices.size()) == scores.rows * k);
  WITAN_ASSERT(values.empty() || values.size() == indices.size());
}

bool row_has_nan(const float* row, std::int64_t cols) {
  return std::any_of(row, row + cols, [](float value) { return std::isnan(value); });
}

void select_row(const float* row, std::int64_t cols, std::int64_t k, std::int32_t* chosen) {
  std::int64_t held = 0;
  for (std::int64_t e = 0; e < cols; ++e) {
    if (held == k && !(row[e] > row[chosen[k - 1]])) continue;
    std::int64_t place = held < k ? held++ : k - 1;
    for (; place > 0 && row[e] > row[chosen[place - 1]]; --place) chosen[place] = chosen[place - 1];
    chosen[place] = static_cast<std::int32_t>(e);
  }
}

}  // namespace

std::int64_t top_k(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices, std::span<float> values) {
  check(scores, k, indices, values);
  std::atomic<std::int64_t> first_nan{std::numeric_limits<std::int64_t>::max()};
  parallel_for(scores.rows, kGrain / scores.cols + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      if (row_has_nan(scores.row(t), scores.cols)) {
        std::int64_t seen = first_nan.load();
        while (t < seen && !first_nan.compare_exchange_weak(seen, t)) {
        }
        return;
      }
      std::int32_t* chosen = indices.data() + t * k;
      select_row(scores.row(t), scores.cols, k, chosen);
      if (!values.empty()) {
        for (std::int64_t j = 0; j < k; ++j) values[static_cast<std::size_t>(t * k + j)] = scores(t, chosen[j]);
      }
    }
  });
  return first_nan == std::numeric_limits<std::int64_t>::max() ? -1 : first_nan.load();
}

std::int64_t top_k_reference(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices,
                             std::span<float> values) {
  check(scores, k, indices, values);
  PooledVector<std::int32_t> order(static_cast<std::size_t>(scores.cols));
  for (std::int64_t t = 0; t < scores.rows; ++t) {
    const float* row = scores.row(t);
    if (row_has_nan(row, scores.cols)) return t;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return row[a] > row[b]; });
    for (std::int64_t j = 0; j < k; ++j) {
      const std::int32_t expert = order[static_cast<std::size_t>(j)];
      indices[static_cast<std::size_t>(t * k + j)] = expert;
      if (!values.empty()) values[static_cast<std::size_t>(t * k + j)] = row[expert];
    }
  }
  return -1;
}

std::int32_t argmax(std::span<const float> row) {
  WITAN_ASSERT(!row.empty());
  std::int32_t best = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) return -1;
    if (row[i] > row[static_cast<std::size_t>(best)]) best = static_cast<std::int32_t>(i);
  }
  return best;
}

}  // namespace witan::kernels
