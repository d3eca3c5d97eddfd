// Logistic experts: P(class c | x) = softmax_c(V_k x) with class 0 as the reference. Two classes are the binomial
// family, more the multinomial one. Targets hold class numbers 0 .. classes - 1.
#pragma once

#include <vector>

#include "mixtures/experts.h"

namespace witan::mixtures {

class SoftmaxExperts : public Experts {
 public:
  // `ridge` keeps separable classes finite: ridge / 2 times the squared coefficients.
  SoftmaxExperts(int experts, int inputs, int classes, double ridge);

  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;
  std::vector<double> mean(int expert, const double* heads) const override;
  std::vector<double> variance(int expert, const double* heads) const override;
  double cdf(int expert, const double* heads, int output, double y) const override;
  double log_density_at(int expert, const double* heads, const double* targets) const override;
  void draw(int expert, const double* heads, Random& random, double* targets) const override;

 private:
  int classes_;
  Eigen::Index inputs_;
};

}  // namespace witan::mixtures
