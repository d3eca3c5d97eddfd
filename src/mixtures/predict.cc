// Predictions from the distribution of each row.
#include "mixtures/predict.h"

#include <limits>

#include "mixtures/row_distribution.h"

namespace witan::mixtures {

Predictor::Predictor(const Model& model, const Prepared& prepared) : model_(model), prepared_(prepared) {}

RowPrediction Predictor::row(std::int64_t row, std::span<const double> levels) const {
  const TargetKind kind = prepared_.frame().target_kind;
  const RowDistribution distribution(model_, prepared_, row);
  RowPrediction result;
  result.gate = distribution.gate();
  result.mean = distribution.mean();
  result.deviation = distribution.deviation();
  result.log_density = std::numeric_limits<double>::quiet_NaN();
  result.pit = result.log_density;
  if (kind != TargetKind::kClass) {
    for (const double level : levels) result.quantiles.push_back(distribution.quantile(level));
  }
  const std::vector<double> targets = distribution.own_targets();
  if (targets.empty()) return result;
  result.posterior = distribution.posterior(targets);
  result.log_density = distribution.log_density(targets);
  if (kind != TargetKind::kClass) result.pit = distribution.pit(targets[0]);
  return result;
}

}  // namespace witan::mixtures
