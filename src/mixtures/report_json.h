// Calibration and pictures of a fit as JSON, for files and for the page of web/src/fit.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mixtures/calibration.h"
#include "mixtures/portrait.h"

namespace witan::mixtures {

// {"rows", "nll", ...}: of numbers and counts "rmse", "crps" (null with "crps_reason" where there is no closed form),
// "pit" [{"low", "high", "share"}] and "coverage" [{"level", "share"}]; of classes "accuracy", "brier", "ece" and
// "reliability" [{"low", "high", "weight", "confidence", "accuracy"}].
nlohmann::json calibration_json(const Calibration& calibration, const Frame& frame);

// {"inputs", "profiles", "maps", "rows", "of_rows", "band_levels"}, the fields of Backdrop and Portrait by their names.
nlohmann::json portrait_json(const Portrait& portrait, const Backdrop& backdrop);

}  // namespace witan::mixtures
