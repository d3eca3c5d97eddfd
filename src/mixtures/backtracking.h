// The line search of M-steps without a closed form: a step that is halved until it does no harm. Not the one of
// polish.cc, which must rise and stay within bounds.
#pragma once

#include <Eigen/Core>

namespace witan::mixtures {

// Moves `at` along the step, halved up to `most_halvings` times until objective(at), which is `value` now, does not
// fall. False, with nothing moved, when it always does.
template <class Objective>
bool climb_by_halving(const Objective& objective, const Eigen::VectorXd& step, int most_halvings,
                      Eigen::Ref<Eigen::VectorXd> at, double& value) {
  double length = 1.0;
  for (int halving = 0; halving < most_halvings; ++halving, length *= 0.5) {
    const Eigen::VectorXd candidate = at + length * step;
    const double reached = objective(candidate);
    if (!(reached >= value)) continue;
    at = candidate;
    value = reached;
    return true;
  }
  return false;
}

}  // namespace witan::mixtures
