// Two thresholds.
#include "inspection/super_experts.h"

#include <algorithm>

#include "inspection/rank_correlation.h"

namespace witan {

SuperExperts super_experts(std::span<const LayerInspection> layers) {
  constexpr double kQuantile = 0.995;
  constexpr double kShareOfLargest = 0.1;
  std::vector<SuperExpert> all;
  for (const LayerInspection& layer : layers) {
    for (std::size_t e = 0; layer.outputs && e < layer.outputs->experts.size(); ++e) {
      const ExpertOutputs& expert = layer.outputs->experts[e];
      if (expert.rows == 0) continue;
      all.push_back({layer.stack, layer.outputs->layer, static_cast<std::int64_t>(e), expert.largest});
    }
  }
  SuperExperts result;
  result.experts = static_cast<std::int64_t>(all.size());
  if (all.empty()) return result;
  std::vector<double> largest;
  for (const SuperExpert& expert : all) largest.push_back(expert.largest);
  result.median = *quantile(largest, 0.5);
  result.quantile = *quantile(largest, kQuantile);
  result.tenth = kShareOfLargest * *std::ranges::max_element(largest);
  for (const SuperExpert& expert : all) {
    if (expert.largest > result.quantile && expert.largest > result.tenth) result.found.push_back(expert);
  }
  std::ranges::stable_sort(result.found, std::ranges::greater(), &SuperExpert::largest);
  return result;
}

}  // namespace witan
