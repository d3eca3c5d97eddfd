// Two thresholds.
#include "inspection/super_experts.h"

#include <algorithm>

#include "inspection/rank_correlation.h"

namespace witan {

SuperExperts super_experts(std::span<const LayerOutputs> layers) {
  constexpr double kQuantile = 0.995;
  constexpr double kShareOfLargest = 0.1;
  std::vector<double> largest;
  for (const LayerOutputs& layer : layers) {
    for (const ExpertOutputs& expert : layer.experts) {
      if (expert.rows > 0) largest.push_back(expert.largest);
    }
  }
  SuperExperts result;
  result.experts = static_cast<std::int64_t>(largest.size());
  if (largest.empty()) return result;
  result.median = *quantile(largest, 0.5);
  result.quantile = *quantile(largest, kQuantile);
  result.tenth = kShareOfLargest * *std::ranges::max_element(largest);
  for (const LayerOutputs& layer : layers) {
    for (std::size_t e = 0; e < layer.experts.size(); ++e) {
      const double value = layer.experts[e].largest;
      if (layer.experts[e].rows > 0 && value > result.quantile && value > result.tenth) {
        result.found.push_back({layer.layer, static_cast<std::int64_t>(e), value});
      }
    }
  }
  std::ranges::stable_sort(result.found, std::ranges::greater(), &SuperExpert::largest);
  return result;
}

}  // namespace witan
