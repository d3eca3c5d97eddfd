// Decompositions of small dense matrices in double. linear_algebra.cc is the only file of the folder that instantiates
// Eigen's: each costs seconds of compilation wherever it is named.
#pragma once

#include <Eigen/Core>

namespace witan::mixtures {

struct SymmetricEigen {
  Eigen::VectorXd values;   // (n), ascending
  Eigen::MatrixXd vectors;  // (n x n), a column each, orthonormal
};

// Eigenvalues and eigenvectors of a symmetric (n x n) matrix, of which the lower triangle is read.
SymmetricEigen symmetric_eigen(const Eigen::MatrixXd& matrix);
Eigen::VectorXd symmetric_eigenvalues(const Eigen::MatrixXd& matrix);

// The lower (n x n) factor L of L L' = matrix, symmetric and positive definite.
Eigen::MatrixXd cholesky_factor(const Eigen::MatrixXd& matrix);

// Solves matrix * solution = right. False, with nothing solved, when the matrix is not positive definite.
bool solve_positive_definite(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& right, Eigen::VectorXd& solution);

// Solves matrix * solution = right for a symmetric positive semidefinite matrix; where it is numerically singular,
// which sets `rank_deficient`, the smallest solution within its range.
Eigen::MatrixXd solve_symmetric(const Eigen::MatrixXd& matrix, const Eigen::MatrixXd& right, bool& rank_deficient);

// The inverse of a lower triangular matrix without zeros on its diagonal.
Eigen::MatrixXd inverse_of_lower(const Eigen::MatrixXd& lower);

struct SquareSolution {
  Eigen::VectorXd solution;
  Eigen::MatrixXd inverse;
};

// The solution of matrix * solution = right and the inverse, by LU with row exchanges, of a regular (n x n) matrix.
SquareSolution solve_square(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& right);

}  // namespace witan::mixtures
