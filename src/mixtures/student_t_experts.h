// Linear experts with Student-t noise: y | x ~ t_nu(B_k'x, S_k), each with degrees of freedom of its own in [1, 200].
#pragma once

#include <string>
#include <vector>

#include "mixtures/experts.h"
#include "mixtures/normalizers.h"
#include "mixtures/scale.h"

namespace witan::mixtures {

class StudentTExperts : public Experts {
 public:
  // `variance_floor` bounds the squared scales.
  StudentTExperts(int experts, int inputs, int outputs, Covariance covariance, double variance_floor);

  void set_parameters(const Eigen::VectorXd& parameters) override;
  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  // ECME (Liu & Rubin 1994): least squares with weights times u = (nu + D) / (nu + distance), then nu on the likelihood
  // itself by a safeguarded Newton step.
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

  Eigen::MatrixXd scale(int expert) const;  // S_k [outputs, outputs]
  double degrees_of_freedom(int expert) const;

 private:
  double* scale_heads(int expert) { return coefficients(heads_of(expert)[outputs_]); }
  const double* scale_heads(int expert) const { return coefficients(heads_of(expert)[outputs_]); }
  double& log_nu(int expert) { return *coefficients(heads_of(expert).back()); }
  // distances [count] = |L'(y - B'x)|^2 of a block.
  void block_distances(int expert, const Rows& rows, std::int64_t begin, std::int64_t count, double* distances) const;
  void fit_location(int expert, const Rows& rows, const double* weights, double mass);
  void fit_degrees_of_freedom(int expert, const Rows& rows, const double* weights, double mass);

  std::size_t outputs_;
  double floor_;
  Scale scale_;
  Normalizers normalizers_;  // by log nu
};

}  // namespace witan::mixtures
