// Load, dropping and the state of the router, measured.
#include "balance/load_metrics.h"

#include <algorithm>

#include "base/pool.h"
#include "kernels/softmax.h"

namespace witan {
namespace {

struct RowMeans {
  double entropy = 0.0;
  double z = 0.0;
};

RowMeans mean_over_rows(const Tensor& probabilities, const Tensor& log_normalizers,
                        std::span<const std::uint8_t> row_mask) {
  PooledVector<float> entropies(static_cast<std::size_t>(probabilities.rows()));
  kernels::row_entropy(probabilities.matrix(), entropies.data());
  RowMeans means;
  double rows = 0.0;
  for (std::size_t row = 0; row < entropies.size(); ++row) {
    if (!row_mask.empty() && row_mask[row] == 0) continue;
    means.entropy += static_cast<double>(entropies[row]);
    means.z += static_cast<double>(log_normalizers.values()[row]);
    rows += 1.0;
  }
  if (rows > 0.0) {
    means.entropy /= rows;
    means.z /= rows;
  }
  return means;
}

}  // namespace

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
  if (dropped > 0.0) metrics.dropped_share = dropped / (served + dropped);
  metrics.dead_experts = std::count(metrics.requested_rows.begin(), metrics.requested_rows.end(), 0);

  const RowMeans means = mean_over_rows(routing.probabilities, log_normalizers, context.row_mask);
  metrics.router_entropy = means.entropy;
  metrics.mean_z = means.z;
  return metrics;
}

}  // namespace witan
