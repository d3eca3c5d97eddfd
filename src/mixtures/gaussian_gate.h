// The Gaussian gate (Xu, Jordan & Hinton 1995): w_k(x) proportional to a_k N(x; m_k, S_k). Its M-step has a closed
// form, because EM climbs the joint likelihood of targets and inputs.
#pragma once

#include "mixtures/gate.h"
#include "mixtures/gaussian_experts.h"

namespace witan::mixtures {

class GaussianGate : public Gate {
 public:
  // Reads rows.targets, which hold the gate's inputs without a column of ones; rows.inputs is not used.
  GaussianGate(int experts, int inputs, Covariance covariance, double variance_floor);

  void set_parameters(const Eigen::VectorXd& parameters) override;
  void log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                         std::span<double* const> out) const override;
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;
  bool joint() const override { return true; }

  // Why this expert's region is degenerate; empty when it is not.
  std::string degenerate(int expert) const;
  double probability(int expert) const;          // a_k
  std::vector<double> mean(int expert) const;    // m_k
  Eigen::MatrixXd covariance(int expert) const;  // S_k

 private:
  std::vector<double> log_priors() const;

  Eigen::Index inputs_;
  Covariance covariance_;
  // The densities of the inputs are constant Gaussian experts. Their parameters are the tail of the gate's.
  GaussianExperts regions_;
};

}  // namespace witan::mixtures
