// Exact gradient and Hessian of the log-likelihood of any mixture, from the derivatives of its parts in their heads.
#pragma once

#include <Eigen/Core>

#include "mixtures/model.h"
#include "mixtures/router.h"

namespace witan::mixtures {

struct Derivatives {
  double log_likelihood = 0.0;
  Eigen::VectorXd gradient;  // in Model::parameters(); the penalty is not in it
  Eigen::MatrixXd hessian;   // likewise; empty when not asked for
};

// With a_k = log w_k f_k and posteriors h: gradient = sum_n c sum_k h_k da_k, Hessian = sum_n c (sum_k h_k (d2a_k +
// da_k da_k') - g g'), g = sum_k h_k da_k (Louis 1982).
Derivatives observed_derivatives(const Model& model, const Data& data, bool with_hessian);

// The same by the responsibilities of any router, with the outer products of the rows' own gradients, sum_n c g g', in
// the place of the Hessian: what the negative Hessian is on average at the truth, and never indefinite. The objective
// of that router stands for the log-likelihood.
Derivatives score_products(const Model& model, const Data& data, const Router& router);

}  // namespace witan::mixtures
