// The last steps to a maximum, and the proof that it is one. EM comes close and slows down; Newton's method on the
// exact Hessian arrives.
#pragma once

#include <Eigen/Core>
#include <string>

#include "mixtures/row_source.h"

namespace witan::mixtures {

// Beyond, a Hessian and its eigenvectors take too long: polish is not to be called (no_polish_reason in fit.h).
constexpr Eigen::Index kMaxPolishedParameters = 1200;

struct Certificate {
  // Of the objective (log-likelihood minus penalty), in standardised units; parameters at a bound that holds them back
  // do not count. Negative when not computed.
  double gradient_norm = -1.0;       // largest absolute entry
  double smallest_eigenvalue = 0.0;  // of the negative Hessian: positive at a strict maximum
  bool has_hessian = false;
  bool maximum = false;  // gradient at rounding and all curvatures positive
  int newton_steps = 0;
  std::string reason;  // why something above is missing, or why this is no maximum; else empty
  // Inverse of the negative Hessian (0 rows and columns at bounds) [P, P]; empty unless positive definite.
  Eigen::MatrixXd covariance;
};

struct NewtonRun {
  double objective = 0.0;
  int steps = 0;
  bool converged = false;   // nothing is left to gain that could tell this maximum from others
  bool left_early = false;  // the maximum that it nears is below the goal
};

// Climbs from the model's parameters, never ends lower, and proves nothing: for runs of which only the best are
// polished. Where EM crosses plateaus in thousands of iterations, a few steps tell where a run leads. One that comes so
// near to a maximum that what is left to gain can be told, and not to the goal, is left.
NewtonRun climb_by_newton(Model& model, const RowSource& rows, int max_steps, double goal);
// Climbs from the model's parameters and never ends lower. At a saddle it leaves along the direction that rises.
Certificate polish(Model& model, const RowSource& rows, int max_steps);

}  // namespace witan::mixtures
