// Multinomial logistic regression with soft targets: the M-step of softmax gates, node by node, and of logistic
// experts.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <span>

#include "mixtures/rows.h"

namespace witan::mixtures {

// Fills out[c] [count] with the masses t_nc >= 0 of the classes c at the rows begin .. begin + count - 1.
using ClassMasses = std::function<void(std::int64_t begin, std::int64_t count, std::span<double* const> out)>;

// Raises sum_n sum_c t_nc log softmax_c(V x_n) - v'R v / 2 by at most max_steps Newton steps from `coefficients`
// [(classes - 1) * inputs]: class 0 has logit 0, the others follow class by class. `penalty` R is positive
// semidefinite, or empty for none. Backtracking never lets the objective fall; where the Hessian is singular a step of
// Boehning's bound (1992) is taken, which always climbs. Returns the objective reached.
double maximize_softmax(const Rows& rows, int classes, const ClassMasses& masses, const Eigen::MatrixXd& penalty,
                        int max_steps, Eigen::Ref<Eigen::VectorXd> coefficients);

}  // namespace witan::mixtures
