// Eigen's decompositions, behind plain functions.
#include "mixtures/linear_algebra.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>

namespace witan::mixtures {
namespace {

// A pivot below this share of its diagonal entry is noise: 64 units in the last place times the square of what
// standardised columns lose by adding up.
constexpr double kRankTolerance = 1e-11;

}  // namespace

SymmetricEigen symmetric_eigen(const Eigen::MatrixXd& matrix) {
  if (matrix.size() == 0) return {};
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

Eigen::VectorXd symmetric_eigenvalues(const Eigen::MatrixXd& matrix) {
  if (matrix.size() == 0) return {};
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix, Eigen::EigenvaluesOnly).eigenvalues();
}

Eigen::MatrixXd cholesky_factor(const Eigen::MatrixXd& matrix) { return Eigen::LLT<Eigen::MatrixXd>(matrix).matrixL(); }

bool solve_positive_definite(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& right, Eigen::VectorXd& solution) {
  const Eigen::LLT<Eigen::MatrixXd> cholesky(matrix);
  if (cholesky.info() != Eigen::Success) return false;
  solution = cholesky.solve(right);
  return true;
}

Eigen::MatrixXd solve_symmetric(const Eigen::MatrixXd& matrix, const Eigen::MatrixXd& right, bool& rank_deficient) {
  // Scaled to a unit diagonal, so that units of the columns do not decide what counts as singular.
  Eigen::VectorXd scale = matrix.diagonal();
  for (double& value : scale) value = value > 0.0 ? 1.0 / std::sqrt(value) : 0.0;
  const Eigen::MatrixXd scaled = scale.asDiagonal() * matrix * scale.asDiagonal();
  const Eigen::LLT<Eigen::MatrixXd> cholesky(scaled);
  rank_deficient =
      cholesky.info() != Eigen::Success || cholesky.matrixLLT().diagonal().array().square().minCoeff() < kRankTolerance;
  const Eigen::MatrixXd scaled_right = scale.asDiagonal() * right;
  if (!rank_deficient) return scale.asDiagonal() * cholesky.solve(scaled_right);
  const auto [values, vectors] = symmetric_eigen(scaled);
  const double smallest = kRankTolerance * std::max(1.0, values.maxCoeff());
  Eigen::VectorXd inverse = values;
  for (double& value : inverse) value = value > smallest ? 1.0 / value : 0.0;
  return scale.asDiagonal() * (vectors * (inverse.asDiagonal() * (vectors.transpose() * scaled_right)));
}

Eigen::MatrixXd inverse_of_lower(const Eigen::MatrixXd& lower) {
  return lower.triangularView<Eigen::Lower>().solve(Eigen::MatrixXd::Identity(lower.rows(), lower.cols()));
}

SquareSolution solve_square(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& right) {
  const Eigen::PartialPivLU<Eigen::MatrixXd> lu(matrix);
  return {lu.solve(right), lu.inverse()};
}

}  // namespace witan::mixtures
