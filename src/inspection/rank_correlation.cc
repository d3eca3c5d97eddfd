// By sorting.
#include "inspection/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace witan {
namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) result[order[i]] = 0.5 * static_cast<double>(first + last);
    first = last + 1;
  }
  return result;
}

}  // namespace

std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b) {
  WITAN_ASSERT(a.size() == b.size());
  const std::vector<double> of_a = ranks(a);
  const std::vector<double> of_b = ranks(b);
  const double mean = 0.5 * (static_cast<double>(a.size()) - 1.0);
  double both = 0.0;
  double only_a = 0.0;
  double only_b = 0.0;
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    both += (of_a[i] - mean) * (of_b[i] - mean);
    only_a += (of_a[i] - mean) * (of_a[i] - mean);
    only_b += (of_b[i] - mean) * (of_b[i] - mean);
  }
  if (only_a <= 0.0 || only_b <= 0.0) return std::nullopt;
  return both / std::sqrt(only_a * only_b);
}

std::optional<double> quantile(std::span<const double> values, double q) {
  WITAN_ASSERT(q >= 0.0 && q <= 1.0);
  if (values.empty()) return std::nullopt;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace witan
