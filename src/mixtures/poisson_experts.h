// Poisson experts for counts: log f = y eta - exp(eta) - log y!, eta = b_k'x.
#pragma once

#include <vector>

#include "mixtures/experts.h"

namespace witan::mixtures {

class PoissonExperts : public Experts {
 public:
  // `ridge` keeps an expert of nothing but zeros finite: ridge / 2 times the squared coefficients.
  PoissonExperts(int experts, int inputs, double ridge);

  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  // Iteratively reweighted least squares, which is Newton's method here, with backtracking.
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;
  std::vector<double> mean(int expert, const double* heads) const override;
  std::vector<double> variance(int expert, const double* heads) const override;
  double cdf(int expert, const double* heads, int output, double y) const override;
  double log_density_at(int expert, const double* heads, const double* targets) const override;
  void draw(int expert, const double* heads, Random& random, double* targets) const override;

 private:
  void start(int expert, const Rows& rows, const double* weights);
  double objective(const Rows& rows, const double* weights, const Eigen::VectorXd& b) const;

  Eigen::Index inputs_;
  double ridge_;
};

}  // namespace witan::mixtures
