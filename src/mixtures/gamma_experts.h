// Gamma experts for positive numbers: mean mu = exp(b_k'x) and shape a_k, variance mu^2 / a_k (McCullagh & Nelder 1989,
// chapter 8): log f = a log a - log Gamma(a) - a log mu + (a - 1) log y - a y / mu.
#pragma once

#include <string>
#include <vector>

#include "mixtures/experts.h"
#include "mixtures/normalizers.h"

namespace witan::mixtures {

// Heads of an expert: log mu, then log a.
class GammaExperts : public Experts {
 public:
  // `variance_floor` bounds 1 / a, the variance as a share of the squared mean.
  GammaExperts(int experts, int inputs, double variance_floor);

  void set_parameters(const Eigen::VectorXd& parameters) override;
  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  // Coefficients by iteratively reweighted least squares (whose weights with this link are the responsibilities
  // alone), with backtracking; then the shape at its maximum.
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;
  std::string degenerate(int expert) const override;
  std::vector<ShapeValue> shape(int expert, const std::vector<double>& scales,
                                const std::vector<std::string>& targets) const override;
  std::vector<double> mean(int expert, const double* heads) const override;
  std::vector<double> variance(int expert, const double* heads) const override;
  double cdf(int expert, const double* heads, int output, double y) const override;
  double log_density_at(int expert, const double* heads, const double* targets) const override;
  void draw(int expert, const double* heads, Random& random, double* targets) const override;
  bool has_mean_distances() const override { return true; }
  double mean_distance(int expert, const double* heads, double y) const override;
  double mean_difference(int one, const double* heads, int other, const double* other_heads) const override;

 private:
  double* log_shape(int expert) { return coefficients(heads_of(expert)[1]); }
  void fit_mean(int expert, const Rows& rows, const double* weights);
  void fit_shape(int expert, const Rows& rows, const double* weights, double mass);

  Eigen::Index inputs_;
  Normalizers normalizers_;  // by log a
};

}  // namespace witan::mixtures
