// Figures derived from sums.
#include "training/step_report.h"

#include <algorithm>
#include <numbers>

namespace witan {

double StepReport::worst_load() const {
  double worst = 0.0;
  for (const MoeMetrics& layer : metrics) worst = std::max(worst, layer.max_over_mean_load);
  return worst;
}

double DomainLoss::bits_per_byte() const {
  return bytes > 0 ? nats / (std::numbers::ln2 * static_cast<double>(bytes)) : 0.0;
}

}  // namespace witan
