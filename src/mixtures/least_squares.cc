// Normal equations in one pass over the rows, residual products in a second: taking them from the first would cancel.
#include "mixtures/least_squares.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <vector>

#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

// A pivot below this share of its diagonal entry is noise: 64 units in the last place times the square of what
// standardised columns lose by adding up.
constexpr double kRankTolerance = 1e-11;

}  // namespace

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
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(scaled);
  const double smallest = kRankTolerance * std::max(1.0, eigen.eigenvalues().maxCoeff());
  Eigen::VectorXd inverse = eigen.eigenvalues();
  for (double& value : inverse) value = value > smallest ? 1.0 / value : 0.0;
  const Eigen::MatrixXd& vectors = eigen.eigenvectors();
  return scale.asDiagonal() * (vectors * (inverse.asDiagonal() * (vectors.transpose() * scaled_right)));
}

LeastSquares weighted_least_squares(const Rows& rows, const double* weights) {
  const auto inputs = static_cast<std::int64_t>(rows.inputs.size());
  const auto targets = static_cast<std::int64_t>(rows.targets.size());
  std::vector<double> sums(static_cast<std::size_t>(inputs * (inputs + targets)));
  sum_blocks(rows.count, inputs * (inputs + targets), sums.data(),
             [&](std::int64_t begin, std::int64_t count, double* partial) {
               const Columns x = block_of(rows.inputs, begin);
               const Columns y = block_of(rows.targets, begin);
               kernels::weighted_gram(x, weights + begin, count, partial);
               kernels::weighted_products(x, weights + begin, y, count, partial + inputs * inputs);
             });
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> upper(sums.data(), inputs, inputs);
  const Eigen::MatrixXd gram = upper.selfadjointView<Eigen::Upper>();
  const Eigen::MatrixXd right = Eigen::Map<const RowMajor>(sums.data() + inputs * inputs, inputs, targets);
  LeastSquares result;
  result.coefficients = solve_symmetric(gram, right, result.rank_deficient);
  return result;
}

void block_residuals(const Rows& rows, std::int64_t begin, std::int64_t count, const double* const* coefficients,
                     double* const* out) {
  const Columns x = block_of(rows.inputs, begin);
  for (std::size_t d = 0; d < rows.targets.size(); ++d) {
    kernels::linear_combination(x, coefficients[d], count, out[d]);
    const double* y = rows.targets[d] + begin;
    for (std::int64_t i = 0; i < count; ++i) out[d][i] = y[i] - out[d][i];
  }
}

Eigen::MatrixXd weighted_residual_products(const Rows& rows, const double* weights,
                                           const Eigen::MatrixXd& coefficients) {
  const auto targets = static_cast<std::int64_t>(rows.targets.size());
  std::vector<const double*> columns;
  for (Eigen::Index d = 0; d < targets; ++d) columns.push_back(coefficients.col(d).data());
  Eigen::MatrixXd products(targets, targets);
  sum_blocks(rows.count, targets * targets, products.data(),
             [&](std::int64_t begin, std::int64_t count, double* partial) {
               Eigen::MatrixXd residuals(kBlockRows, targets);
               std::vector<double*> out;
               for (Eigen::Index d = 0; d < targets; ++d) out.push_back(residuals.col(d).data());
               block_residuals(rows, begin, count, columns.data(), out.data());
               const Columns r(out.begin(), out.end());
               kernels::weighted_products(r, weights + begin, r, count, partial);
             });
  return products;
}

}  // namespace witan::mixtures
