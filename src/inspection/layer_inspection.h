// What was found of one layer with a mixture while its model read a text.
#pragma once

#include <optional>
#include <string>

#include "inspection/expert_outputs.h"
#include "training/analysis.h"

namespace witan {

struct LayerInspection {
  std::string stack;  // "decoder" or "encoder"
  LayerAnalysis routing;
  std::optional<LayerOutputs> outputs;  // none where experts have no rows of their own
};

}  // namespace witan
