// Experts of any family whose linear predictors are replaced by networks of the inputs, one network per expert. What is
// constant in the family (a variance, degrees of freedom) stays so. Trained by gradients only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mixtures/experts.h"
#include "mixtures/network.h"

namespace witan::mixtures {

class NetworkExperts : public Experts {
 public:
  // `family`: experts of one input, of which only the densities are used. networks[k] gives the values of the linear
  // heads of expert k, in their order, from the inputs without the column of ones. The penalty is ridge / 2 times the
  // squared network parameters.
  NetworkExperts(std::unique_ptr<Experts> family, std::vector<std::unique_ptr<Network>> networks, double ridge);

  void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                   std::span<double* const> out) const override;
  void add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count, std::span<const double* const> weights,
                    double* gradient) const override;
  void initialize(Random& random) override;
  void balance(const Rows& rows, std::int64_t begin, std::int64_t count, double margin) override;
  void lift_balance() override;
  bool linear() const override { return false; }
  void set_parameters(const Eigen::VectorXd& parameters) override;
  std::vector<double> head_values(const Rows& rows, int expert, std::int64_t row) const override;

  std::string degenerate(int expert) const override { return family_->degenerate(expert); }
  std::vector<double> mean(int expert, const double* heads) const override { return family_->mean(expert, heads); }
  std::vector<double> variance(int expert, const double* heads) const override {
    return family_->variance(expert, heads);
  }
  double cdf(int expert, const double* heads, int output, double y) const override {
    return family_->cdf(expert, heads, output, y);
  }
  double log_density_at(int expert, const double* heads, const double* targets) const override {
    return family_->log_density_at(expert, heads, targets);
  }
  void draw(int expert, const double* heads, Random& random, double* targets) const override {
    family_->draw(expert, heads, random, targets);
  }
  std::vector<ShapeValue> shape(int expert, const std::vector<double>& scales,
                                const std::vector<std::string>& targets) const override {
    return family_->shape(expert, scales, targets);
  }
  bool has_mean_distances() const override { return family_->has_mean_distances(); }
  double mean_distance(int expert, const double* heads, double y) const override {
    return family_->mean_distance(expert, heads, y);
  }
  double mean_difference(int one, const double* heads, int other, const double* other_heads) const override {
    return family_->mean_difference(one, heads, other, other_heads);
  }
  bool smooth() const override { return family_->smooth(); }

  // Networks have no M-step and no linear heads: calling these is a bug.
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;

 private:
  // Values of all heads [heads of the expert, count].
  Eigen::MatrixXd block_heads(const Rows& rows, std::int64_t begin, std::int64_t count, int expert,
                              std::any& kept) const;
  const double* network_parameters(int expert) const { return coefficients(expert); }

  std::unique_ptr<Experts> family_;
  std::vector<std::unique_ptr<Network>> networks_;
  std::vector<int> constants_;  // head of this part that holds head i of the family; -1: linear
};

}  // namespace witan::mixtures
