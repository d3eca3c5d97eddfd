// Experts whose output has extreme values: super experts (Su et al. 2025, "Unveiling Super Experts in
// Mixture-of-Experts Large Language Models").
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "inspection/layer_inspection.h"

namespace witan {

struct SuperExpert {
  std::string stack;
  std::int64_t layer = 0;
  std::int64_t expert = 0;
  double largest = 0.0;  // entry of its outputs, without its sign
};

struct SuperExperts {
  std::int64_t experts = 0;        // that served any row, of all layers
  double median = 0.0;             // of their largest entries; 0 without experts
  double quantile = 0.0;           // 99.5 % of them
  double tenth = 0.0;              // of the largest of all
  std::vector<SuperExpert> found;  // the strongest first
};

// Those whose largest entry exceeds the 99.5 % quantile of all experts' and a tenth of the largest. With fewer than 200
// experts the quantile lies below the largest of all, so that the rule names one whenever not all are equal: how far it
// stands out (largest / median) tells whether that means anything.
SuperExperts super_experts(std::span<const LayerInspection> layers);

}  // namespace witan
