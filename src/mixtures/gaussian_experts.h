// Linear Gaussian experts: y | x ~ N(B_k'x, S_k). A constant expert is one whose only input is the column of ones.
#pragma once

#include <string>
#include <vector>

#include "mixtures/experts.h"
#include "mixtures/scale.h"

namespace witan::mixtures {

struct GaussianOptions {
  Covariance covariance = Covariance::kFull;  // of several outputs
  bool shared = false;                        // one covariance for all experts
  double variance_floor = 1e-8;               // in squared units of the targets
  // Covariances times rows / (rows - inputs), as flexmix has them; then EM no longer climbs the likelihood.
  bool unbiased = false;
};

class GaussianExperts : public Experts {
 public:
  GaussianExperts(int experts, int inputs, int outputs, const GaussianOptions& options);

  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  // Closed form: weighted least squares, and covariances of the residuals (Jordan & Jacobs 1994, section 5).
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

  // Covariance of an expert [outputs, outputs].
  Eigen::MatrixXd covariance(int expert) const;

 private:
  const double* scale_heads(int expert) const { return coefficients(heads_of(expert)[outputs_]); }
  double* scale_heads(int expert) { return coefficients(heads_of(expert)[outputs_]); }

  std::size_t outputs_;
  Eigen::Index inputs_;
  GaussianOptions options_;
  Scale scale_;
};

}  // namespace witan::mixtures
