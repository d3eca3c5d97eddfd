// Scale matrices of elliptical densities as heads: the precision is L L', and the heads are log L_jj and, below the
// diagonal, L_ij. Any values are a valid precision, so Newton needs no constraint.
#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "mixtures/experts.h"

namespace witan::mixtures {

enum class Covariance { kFull, kDiagonal, kSpherical };

// sigma of one target, or "cov(a, b)" of several, from a matrix in standardised units.
std::vector<ShapeValue> covariance_values(const Eigen::MatrixXd& matrix, bool full, const std::vector<double>& scales,
                                          const std::vector<std::string>& targets);

class Scale {
 public:
  Scale(Covariance kind, int outputs);

  int outputs() const { return outputs_; }
  int num_heads() const { return num_heads_; }
  // Whether head i is a log L_jj (bounded by the variance floor).
  bool is_diagonal(int head) const;

  // Lower triangular L [outputs, outputs] from the values of the heads.
  Eigen::MatrixXd factor(const double* heads) const;
  Eigen::MatrixXd covariance(const double* heads) const;
  // The variance of one output, and of all.
  double variance(const double* heads, int output) const;
  std::vector<double> variances(const double* heads) const;
  // The heads of a covariance, restricted to the kind and with no variance below the floor: heads [num_heads].
  void set(const Eigen::MatrixXd& covariance, double floor, double* heads) const;
  // A normal vector with this covariance.
  Eigen::VectorXd draw(const double* heads, Random& random) const;
  // Whether a variance stands at the floor.
  bool at_floor(const double* heads, double floor) const;

  // Distance |L'(y - mu)|^2 and log det L from the means followed by the heads of the scale.
  struct Distance {
    double distance = 0.0;
    double log_det = 0.0;
  };
  Distance distance(const double* values, const double* targets) const;

  // The same with derivatives in the outputs' means followed by the heads of the scale, m = outputs + num_heads of
  // them: distance_gradient [m], distance_hessian [m, m], log_det_gradient [m] (no second derivative).
  struct Derivatives : Distance {
    Eigen::VectorXd distance_gradient;
    Eigen::MatrixXd distance_hessian;
    Eigen::VectorXd log_det_gradient;
  };
  Derivatives derivatives(const double* values, const double* targets) const;

 private:
  int diagonal_head(int j) const { return kind_ == Covariance::kSpherical ? 0 : j; }
  int below_head(int i, int j) const { return outputs_ + i * (i - 1) / 2 + j; }  // i > j

  Covariance kind_;  // of one output: kDiagonal, which is what every kind then comes to
  int outputs_;
  int num_heads_;
};

}  // namespace witan::mixtures
