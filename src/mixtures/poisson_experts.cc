// Poisson experts.
#include "mixtures/poisson_experts.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/backtracking.h"
#include "mixtures/distributions.h"
#include "mixtures/least_squares.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {
namespace {

constexpr int kPoissonNewtonSteps = 3;
constexpr int kPoissonHalvings = 30;

}  // namespace

PoissonExperts::PoissonExperts(int experts, int inputs, double ridge) : inputs_(inputs), ridge_(ridge) {
  for (int k = 0; k < experts; ++k) add_expert({add_head(true, inputs)});
  penalize_all(ridge);
}

void PoissonExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                 std::span<double* const> out) const {
  const Columns x = block_of(rows.inputs, begin);
  const double* y = rows.targets[0] + begin;
  std::vector<double> log_factorial(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) log_factorial[static_cast<std::size_t>(i)] = std::lgamma(y[i] + 1.0);
  for (int k = 0; k < num_experts(); ++k) {
    double* density = out[static_cast<std::size_t>(k)];
    kernels::linear_combination(x, coefficients(heads_of(k)[0]), count, density);
    for (std::int64_t i = 0; i < count; ++i) {
      density[i] = std::max(y[i] * density[i] - std::exp(density[i]) - log_factorial[static_cast<std::size_t>(i)],
                            kLeastLogDensity);
    }
  }
}

double PoissonExperts::objective(const Rows& rows, const double* weights, const Eigen::VectorXd& b) const {
  double sum = 0.0;
  sum_blocks(rows.count, 1, &sum, [&](std::int64_t begin, std::int64_t count, double* partial) {
    std::vector<double> eta(kBlockRows);
    kernels::linear_combination(block_of(rows.inputs, begin), b.data(), count, eta.data());
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = eta[static_cast<std::size_t>(i)];
      if (weights[begin + i] > 0.0)
        partial[0] += weights[begin + i] * (rows.targets[0][begin + i] * value - std::exp(value));
    }
  });
  return sum - 0.5 * ridge_ * b.squaredNorm();
}

// Least squares on log(y + 1/2).
void PoissonExperts::start(int expert, const Rows& rows, const double* weights) {
  std::vector<double> logs(static_cast<std::size_t>(rows.count));
  for (std::int64_t n = 0; n < rows.count; ++n) logs[static_cast<std::size_t>(n)] = std::log(rows.targets[0][n] + 0.5);
  const LeastSquares fitted = weighted_least_squares({rows.count, rows.inputs, {logs.data()}}, weights);
  std::copy_n(fitted.coefficients.data(), inputs_, coefficients(heads_of(expert)[0]));
}

void PoissonExperts::fit(const Rows& rows, const Weights& weights) {
  for (int k = 0; k < num_experts(); ++k) {
    const double* h = weights.col(k).data();
    if (!(weights.col(k).sum() > 0.0)) continue;
    Eigen::Map<Eigen::VectorXd> b(coefficients(heads_of(k)[0]), inputs_);
    if (b.isZero(0.0)) start(k, rows, h);
    double value = objective(rows, h, b);
    for (int step = 0; step < kPoissonNewtonSteps; ++step) {
      Eigen::VectorXd sums(inputs_ + inputs_ * inputs_);
      sum_blocks(rows.count, sums.size(), sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
        const Columns x = block_of(rows.inputs, begin);
        std::vector<double> rate(kBlockRows);
        std::vector<double> residual(kBlockRows);
        kernels::linear_combination(x, b.data(), count, rate.data());
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
          const double w = h[begin + static_cast<std::int64_t>(i)];
          rate[i] = w > 0.0 ? w * std::exp(rate[i]) : 0.0;
          residual[i] = w * rows.targets[0][begin + static_cast<std::int64_t>(i)] - rate[i];
        }
        kernels::weighted_products(x, residual.data(), block_of({nullptr}, 0), count, partial);
        kernels::weighted_gram(x, rate.data(), count, partial + inputs_);
      });
      const Eigen::VectorXd gradient = sums.head(inputs_) - ridge_ * b;
      // Row-major with the upper triangle filled is column-major with the lower one.
      Eigen::MatrixXd information =
          Eigen::Map<const Eigen::MatrixXd>(sums.data() + inputs_, inputs_, inputs_).selfadjointView<Eigen::Lower>();
      information.diagonal().array() += ridge_;
      bool rank_deficient = false;
      const Eigen::VectorXd direction = solve_symmetric(information, gradient, rank_deficient);
      if (!direction.allFinite()) break;
      const auto objective_at = [&](const Eigen::VectorXd& at) { return objective(rows, h, at); };
      if (!climb_by_halving(objective_at, direction, kPoissonHalvings, b, value)) break;
    }
  }
}

void PoissonExperts::derivatives(int /*expert*/, const double* values, const double* targets, double* gradient,
                                 double* hessian) const {
  const double rate = std::exp(values[0]);
  gradient[0] = targets[0] - rate;
  hessian[0] = -rate;
}

std::vector<double> PoissonExperts::mean(int /*expert*/, const double* heads) const { return {std::exp(heads[0])}; }
std::vector<double> PoissonExperts::variance(int /*expert*/, const double* heads) const { return {std::exp(heads[0])}; }

double PoissonExperts::cdf(int /*expert*/, const double* heads, int /*output*/, double y) const {
  return poisson_cdf(y, std::exp(heads[0]));
}

double PoissonExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  return std::max(targets[0] * heads[0] - std::exp(heads[0]) - std::lgamma(targets[0] + 1.0), kLeastLogDensity);
}

void PoissonExperts::draw(int /*expert*/, const double* heads, Random& random, double* targets) const {
  // The least count whose distribution function reaches a uniform number.
  const double mean = std::exp(heads[0]);
  const double level = random.uniform_open();
  double low = -1.0;
  double high = std::ceil(mean + 1.0);
  while (poisson_cdf(high, mean) < level) high *= 2.0;
  while (high - low > 1.0) {
    const double middle = std::floor(0.5 * (low + high));
    (poisson_cdf(middle, mean) >= level ? high : low) = middle;
  }
  targets[0] = high;
}

}  // namespace witan::mixtures
