// What to fit, and how: the options of one mixture.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"

namespace witan::mixtures {

struct FitOptions {
  std::int64_t experts = 2;
  std::string family = "gaussian";
  std::string tree;              // "2x2": hierarchical gate; empty: flat
  std::string gate = "softmax";  // softmax, constant, gaussian
  std::string gate_covariance = "full";
  std::string covariance = "full";  // of several targets
  bool shared_variance = false;
  std::string sigma_convention = "ml";  // or unbiased
  double gate_ridge = 1e-4;             // on standardised inputs
  double expert_ridge = 1e-6;           // of logistic and Poisson experts
  double variance_floor = 1e-8;         // of a target's variance
  std::string router = "posterior";
  std::int64_t restarts = 0;  // 0: by the size of the data
  std::string start = "auto";
  std::int64_t max_iterations = 2000;
  double tolerance = 1e-9;
  std::int64_t seed = 1;

  // References into this object. `experts` and `family` are not among them: on the command line they may be lists.
  Fields fields();
  // The same with these two, for model files.
  Fields all_fields();
  // Throws Error where options contradict each other. Sets `experts` from `tree`.
  void validate();
};

}  // namespace witan::mixtures
