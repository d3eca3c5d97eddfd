// Normal equations in one pass over the rows, residual products in a second: taking them from the first would cancel.
#include "mixtures/least_squares.h"

#include <vector>

#include "kernels/columns.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {

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
