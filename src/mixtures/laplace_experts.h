// Linear experts with Laplace noise: log f = sum_d -log 2b_d - |y_d - b'x| / b_d. Their medians are linear.
#pragma once

#include <string>
#include <vector>

#include "mixtures/experts.h"

namespace witan::mixtures {

class LaplaceExperts : public Experts {
 public:
  // `scale_floor` bounds the scales b, in units of the targets.
  LaplaceExperts(int experts, int inputs, int outputs, double scale_floor);

  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  // Least absolute deviations, exactly, and their weighted mean as scale. Before there is a corner to start from, a few
  // reweighted least squares (weights / max(|r|, floor)) find the neighbourhood.
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;
  bool smooth() const override { return false; }
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
  void fit_output(int expert, std::size_t output, const Rows& rows, const double* weights, double mass);

  std::size_t outputs_;
  Eigen::Index inputs_;
  double floor_;
};

}  // namespace witan::mixtures
