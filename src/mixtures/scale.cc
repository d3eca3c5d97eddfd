// z = L'(y - mu): z_j = sum_{i >= j} L_ij r_i; everything follows from z and its derivatives, since z is linear in the
// means and in L.
#include "mixtures/scale.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {
namespace {

int count_heads(Covariance kind, int outputs) {
  switch (kind) {
    case Covariance::kFull:
      return outputs * (outputs + 1) / 2;
    case Covariance::kDiagonal:
      return outputs;
    case Covariance::kSpherical:
      return 1;
  }
  return 0;
}

}  // namespace

std::vector<ShapeValue> covariance_values(const Eigen::MatrixXd& matrix, bool full, const std::vector<double>& scales,
                                          const std::vector<std::string>& targets) {
  std::vector<ShapeValue> values;
  if (scales.size() == 1) {
    const double sigma = scales[0] * std::sqrt(matrix(0, 0));
    return {{"sigma", sigma}, {"log_sigma", std::log(sigma)}};
  }
  for (std::size_t i = 0; i < scales.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      if (i != j && !full) continue;
      values.push_back({"cov(" + targets[j] + ", " + targets[i] + ")",
                        scales[i] * scales[j] * matrix(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j))});
    }
  }
  return values;
}

Scale::Scale(Covariance kind, int outputs)
    : kind_(outputs == 1 ? Covariance::kDiagonal : kind), outputs_(outputs), num_heads_(count_heads(kind_, outputs)) {}

bool Scale::is_diagonal(int head) const { return head < (kind_ == Covariance::kSpherical ? 1 : outputs_); }

Eigen::MatrixXd Scale::factor(const double* heads) const {
  Eigen::MatrixXd l = Eigen::MatrixXd::Zero(outputs_, outputs_);
  for (int j = 0; j < outputs_; ++j) {
    l(j, j) = std::exp(heads[diagonal_head(j)]);
    if (kind_ != Covariance::kFull) continue;
    for (int i = j + 1; i < outputs_; ++i) l(i, j) = heads[below_head(i, j)];
  }
  return l;
}

Eigen::MatrixXd Scale::covariance(const double* heads) const {
  const Eigen::MatrixXd inverse = inverse_of_lower(factor(heads));
  return inverse.transpose() * inverse;
}

double Scale::variance(const double* heads, int output) const {
  if (kind_ == Covariance::kFull) return covariance(heads)(output, output);
  return std::exp(-2.0 * heads[diagonal_head(output)]);
}

std::vector<double> Scale::variances(const double* heads) const {
  if (kind_ == Covariance::kFull) {
    const Eigen::VectorXd diagonal = covariance(heads).diagonal();
    return {diagonal.begin(), diagonal.end()};
  }
  std::vector<double> values;
  for (int j = 0; j < outputs_; ++j) values.push_back(variance(heads, j));
  return values;
}

void Scale::set(const Eigen::MatrixXd& covariance, double floor, double* heads) const {
  if (kind_ == Covariance::kSpherical) {
    heads[0] = -0.5 * std::log(std::max(covariance.trace() / outputs_, floor));
    return;
  }
  if (kind_ == Covariance::kDiagonal) {
    for (int j = 0; j < outputs_; ++j) heads[j] = -0.5 * std::log(std::max(covariance(j, j), floor));
    return;
  }
  const SymmetricEigen eigen = symmetric_eigen(covariance);
  const Eigen::VectorXd precisions = eigen.values.cwiseMax(floor).cwiseInverse();
  const Eigen::MatrixXd l = cholesky_factor(eigen.vectors * precisions.asDiagonal() * eigen.vectors.transpose());
  for (int j = 0; j < outputs_; ++j) {
    heads[j] = std::log(l(j, j));
    for (int i = j + 1; i < outputs_; ++i) heads[below_head(i, j)] = l(i, j);
  }
}

bool Scale::at_floor(const double* heads, double floor) const {
  const double limit = floor * (1.0 + 1e-6);
  if (kind_ != Covariance::kFull) {
    const int diagonals = kind_ == Covariance::kSpherical ? 1 : outputs_;
    return std::any_of(heads, heads + diagonals, [&](double head) { return std::exp(-2.0 * head) <= limit; });
  }
  return symmetric_eigenvalues(covariance(heads)).minCoeff() <= limit;
}

Eigen::VectorXd Scale::draw(const double* heads, Random& random) const {
  Eigen::VectorXd z(outputs_);
  for (double& value : z) value = random.normal();
  return inverse_of_lower(factor(heads)).transpose() * z;
}

Scale::Distance Scale::distance(const double* values, const double* targets) const {
  const Eigen::MatrixXd l = factor(values + outputs_);
  const Eigen::VectorXd r =
      Eigen::Map<const Eigen::VectorXd>(targets, outputs_) - Eigen::Map<const Eigen::VectorXd>(values, outputs_);
  return {(l.transpose() * r).squaredNorm(), l.diagonal().array().log().sum()};
}

Scale::Derivatives Scale::derivatives(const double* values, const double* targets) const {
  const int m = outputs_ + num_heads_;
  const Eigen::MatrixXd l = factor(values + outputs_);
  const Eigen::VectorXd r =
      Eigen::Map<const Eigen::VectorXd>(targets, outputs_) - Eigen::Map<const Eigen::VectorXd>(values, outputs_);
  const Eigen::VectorXd z = l.transpose() * r;
  Derivatives result;
  result.distance = z.squaredNorm();
  result.log_det_gradient = Eigen::VectorXd::Zero(m);
  Eigen::MatrixXd jacobian = Eigen::MatrixXd::Zero(outputs_, m);  // of z
  Eigen::MatrixXd curvature = Eigen::MatrixXd::Zero(m, m);        // sum_j z_j times the Hessian of z_j
  for (int j = 0; j < outputs_; ++j) {
    const int diagonal = outputs_ + diagonal_head(j);
    result.log_det += values[diagonal];
    result.log_det_gradient(diagonal) += 1.0;
    jacobian(j, j) -= l(j, j);
    jacobian(j, diagonal) += l(j, j) * r(j);
    curvature(diagonal, diagonal) += z(j) * l(j, j) * r(j);
    curvature(j, diagonal) -= z(j) * l(j, j);
    curvature(diagonal, j) -= z(j) * l(j, j);
    if (kind_ != Covariance::kFull) continue;
    for (int i = j + 1; i < outputs_; ++i) {
      const int below = outputs_ + below_head(i, j);
      jacobian(j, i) -= l(i, j);
      jacobian(j, below) += r(i);
      curvature(i, below) -= z(j);
      curvature(below, i) -= z(j);
    }
  }
  result.distance_gradient = 2.0 * jacobian.transpose() * z;
  result.distance_hessian = 2.0 * (jacobian.transpose() * jacobian + curvature);
  return result;
}

}  // namespace witan::mixtures
