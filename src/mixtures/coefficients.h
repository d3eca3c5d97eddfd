// Parameters of a fitted mixture by name, in the user's units, with standard errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mixtures/fit.h"

namespace witan::mixtures {

struct Coefficient {
  std::string part;    // "gate" or "expert 2"
  std::string target;  // of several targets or classes: which; of a node of a gate: which child
  std::string term;    // "(intercept)", an input, "sigma", "nu", ...
  double estimate = 0.0;
  std::optional<double> standard_error;
  std::string reason;   // why there is no standard error
  bool linear = false;  // a slope or intercept, of which z = estimate / standard error tests 0
  std::optional<double> z() const;
  std::optional<double> p_value() const;  // two-sided, normal
};

// Standard errors from the observed information (delta method).
std::vector<Coefficient> coefficients(const Fit& fit);

}  // namespace witan::mixtures
