// Weighted least absolute deviations, exactly: the maximum of a Laplace expert's likelihood in its coefficients.
#pragma once

#include <Eigen/Core>

#include "mixtures/rows.h"

namespace witan::mixtures {

// Minimises sum_n weights_n |y_n - b'x_n| over b, from `coefficients` [inputs]: from a solution of similar weights it
// takes a few steps. Descends along the edges of the piecewise linear objective (Bloomfield & Steiger 1980): at a
// corner, `inputs` rows have residual 0; a step leaves one of them and stops where another row's residual vanishes and
// the slope turns. False when the rows with weight do not span the inputs (then nothing is changed).
bool minimize_absolute_deviations(const Rows& rows, Column target, const double* weights,
                                  Eigen::Ref<Eigen::VectorXd> coefficients);

// sum_n weights_n |y_n - b'x_n|.
double absolute_deviations(const Rows& rows, Column target, const double* weights, const Eigen::VectorXd& coefficients);

}  // namespace witan::mixtures
