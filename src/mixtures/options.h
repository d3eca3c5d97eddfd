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
  std::string training = "em";        // or gradient, which networks imply
  std::string gate_hidden;            // widths of the gate's hidden layers: "16,8"; empty: linear
  std::string expert_hidden;          // the same of each expert
  std::string combine = "densities";  // or means: the experts' outputs are blended within one density
  std::string stack;                  // mixture layers beneath the experts: "4x8,4x8"; empty: none
  double balance_margin = 100.0;      // of the gates in a stack, in records; 0: none
  double network_ridge = 1e-3;
  std::int64_t epochs = 200;
  std::int64_t batch_rows = 256;
  double learning_rate = 0.01;
  std::int64_t restarts = 0;  // 0: by the size of the data
  std::string start = "auto";
  std::int64_t max_iterations = 2000;
  double tolerance = 1e-9;
  bool polish = true;
  std::int64_t seed = 1;

  // References into this object. `experts` and `family` are not among them: on the command line they may be lists.
  Fields fields();
  // The same with these two, for model files.
  Fields all_fields();
  // Throws Error where options contradict each other. Sets `experts` from `tree`.
  void validate();
};

}  // namespace witan::mixtures
