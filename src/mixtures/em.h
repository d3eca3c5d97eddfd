// Expectation maximisation: the one loop that fits every mixture, from a gate, a router and experts.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "mixtures/model.h"
#include "mixtures/router.h"

namespace witan::mixtures {

struct EmOptions {
  int max_iterations = 1000;
  // Stops when Aitken's estimate of what is still to gain falls below this share of 1 + |objective|.
  double tolerance = 1e-9;
  // An expert with less weight than this is re-seeded from the worst-fitted rows; at most this often per run.
  double least_mass = 0.0;
  int max_rescues = 5;
  // A run that cannot reach this objective, as far as Aitken's estimate of where it ends can tell, is left early.
  double goal = -std::numeric_limits<double>::infinity();
  std::function<void(int iteration, double objective)> progress;  // may be empty
};

struct EmRun {
  std::vector<double> history;  // the objective at each E-step: contributions of the rows minus the penalty
  bool converged = false;       // by the Aitken criterion; else the iterations ran out
  bool left_early = false;      // the goal was out of reach
  bool monotone = true;         // the objective never fell by more than rounding, re-seeding apart
  int rescues = 0;
  bool starved = false;  // an expert was left without rows after the last rescue
  std::string note;      // what the experts had to work around

  double objective() const { return history.back(); }
};

// One E-step: `weights` takes case weight times responsibility. Returns the objective.
double expectation_step(const Model& model, const Data& data, const Router& router, Weights& weights);

// From the responsibilities in `weights` (then overwritten) with an M-step first. With a router that is not monotone
// all iterations are run, and the model is left at the best parameters seen. Throws Interrupted when interrupted.
EmRun run_em(Model& model, const Data& data, Router& router, const EmOptions& options, Weights& weights);

}  // namespace witan::mixtures
