// The quantities a run logged at every step, as thinned curves: of the whole model, and of the routing of each layer.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "report/metrics_file.h"

namespace witan {

// {"steps": {"step": [...], "loss": [...], ...}, "layers": [{"layer", "experts", "step", "load", ...}]}, as
// web/src/report/data.ts describes. Needs at least one step.
nlohmann::json curves(const MetricsFile& metrics);

}  // namespace witan
