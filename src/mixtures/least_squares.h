// Weighted least squares on columns, by the normal equations of (standardised) inputs.
#pragma once

#include <Eigen/Core>

#include "mixtures/rows.h"

namespace witan::mixtures {

struct LeastSquares {
  Eigen::MatrixXd coefficients;  // [inputs, targets]
  bool rank_deficient = false;   // then the coefficients are the smallest of the best
};

// The note of experts to whom that happened.
constexpr const char* kRankDeficientNote =
    "rank-deficient least squares: the smallest of the best coefficients was taken";

// Minimises sum_n weights_n |y_n - B'x_n|^2.
LeastSquares weighted_least_squares(const Rows& rows, const double* weights);

// sum_n weights_n r_n r_n', r = y - B'x: [targets, targets].
Eigen::MatrixXd weighted_residual_products(const Rows& rows, const double* weights,
                                           const Eigen::MatrixXd& coefficients);

// Residuals of a block, out[d] [count], d a target.
void block_residuals(const Rows& rows, std::int64_t begin, std::int64_t count, const double* const* coefficients,
                     double* const* out);

}  // namespace witan::mixtures
