// Load, dropping and the state of the router, measured.
#include "balance/load_metrics.h"

#include <algorithm>

#include "base/pool.h"
#include "kernels/softmax.h"

namespace witan {
namespace {

// Mean over the rows that are not masked; 0 without such rows.
double mean_over_rows(std::span<const float> values, std::span<const std::uint8_t> row_mask) {
  double sum = 0.0;
  double rows = 0.0;
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (!row_mask.empty() && row_mask[row] == 0) continue;
    sum += static_cast<double>(values[row]);
    rows += 1.0;
  }
  return rows > 0.0 ? sum / rows : 0.0;
}

double mean_entropy(const Tensor& probabilities, std::span<const std::uint8_t> row_mask) {
  PooledVector<float> entropies(static_cast<std::size_t>(probabilities.rows()));
  kernels::row_entropy(probabilities.matrix(), entropies.data());
  return mean_over_rows(entropies, row_mask);
}

}  // namespace

double max_violation(std::span<const std::int64_t> requested_rows) {
  std::int64_t total = 0;
  std::int64_t largest = 0;
  for (const std::int64_t rows : requested_rows) {
    total += rows;
    largest = std::max(largest, rows);
  }
  if (total == 0) return 0.0;
  return static_cast<double>(largest) * static_cast<double>(requested_rows.size()) / static_cast<double>(total) - 1.0;
}

MoeMetrics measure_load(const Routing& routing, const Tensor& log_normalizers, const RouterContext& context) {
  const Assignment& assignment = *routing.assignment;
  MoeMetrics metrics;
  for (std::int64_t expert = 0; expert < assignment.num_experts; ++expert) {
    metrics.rows_per_expert.push_back(assignment.load(expert));
  }
  metrics.requested_rows = metrics.rows_per_expert;
  for (const std::int32_t expert : assignment.dropped_experts) {
    ++metrics.requested_rows[static_cast<std::size_t>(expert)];
  }

  const auto served = static_cast<double>(assignment.num_assigned());
  const auto dropped = static_cast<double>(assignment.num_dropped());
  if (served > 0.0) {
    const auto largest = *std::max_element(metrics.rows_per_expert.begin(), metrics.rows_per_expert.end());
    metrics.max_over_mean_load = static_cast<double>(largest) * static_cast<double>(assignment.num_experts) / served;
  }
  metrics.max_violation = max_violation(metrics.requested_rows);
  if (dropped > 0.0) metrics.dropped_share = dropped / (served + dropped);
  metrics.dead_experts = std::count(metrics.requested_rows.begin(), metrics.requested_rows.end(), 0);

  if (routing.probabilities.defined()) metrics.router_entropy = mean_entropy(routing.probabilities, context.row_mask);
  if (log_normalizers.defined()) metrics.mean_z = mean_over_rows(log_normalizers.values(), context.row_mask);
  return metrics;
}

}  // namespace witan
