// Gamma experts. With u = log(y / mu), log f = c(a) - log y - a (exp(u) - 1 - u), c(a) = a log a - a - log Gamma(a): no
// large terms that cancel, whatever the shape.
#include "mixtures/gamma_experts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/backtracking.h"
#include "mixtures/distributions.h"
#include "mixtures/least_squares.h"

namespace witan::mixtures {
namespace {

constexpr int kMeanSteps = 3;
constexpr int kMeanHalvings = 30;
constexpr int kShapeSteps = 20;
constexpr double kSmallestShape = 1e-6;

// A target that underflowed to 0 when it was scaled counts as the least number above 0.
double safe_log(double y) { return std::log(std::max(y, std::numeric_limits<double>::min())); }

double log_gamma_density(double log_mean, double shape, double normalizer, double log_y) {
  const double u = log_y - log_mean;
  return std::max(normalizer - log_y - shape * (std::expm1(u) - u), kLeastLogDensity);
}

// sum_n h_n (-log mu_n - y_n / mu_n), what the coefficients of the mean are chosen by.
double mean_objective(const Rows& rows, const double* h, const Eigen::VectorXd& b) {
  double sum = 0.0;
  sum_blocks(rows.count, 1, &sum, [&](std::int64_t begin, std::int64_t count, double* partial) {
    std::vector<double> eta(kBlockRows);
    kernels::linear_combination(block_of(rows.inputs, begin), b.data(), count, eta.data());
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = eta[static_cast<std::size_t>(i)];
      if (h[begin + i] > 0.0) partial[0] -= h[begin + i] * (value + rows.targets[0][begin + i] * std::exp(-value));
    }
  });
  return sum;
}

}  // namespace

GammaExperts::GammaExperts(int experts, int inputs, double variance_floor) : inputs_(inputs), normalizers_(experts) {
  for (int k = 0; k < experts; ++k) {
    const int mean = add_head(true, inputs);
    const int shape = add_head(false, 1, std::log(kSmallestShape), -std::log(variance_floor));
    add_expert({mean, shape});
  }
}

void GammaExperts::set_parameters(const Eigen::VectorXd& parameters) {
  Experts::set_parameters(parameters);
  for (int k = 0; k < num_experts(); ++k) normalizers_.remember(k, *log_shape(k), gamma_normalizer);
}

void GammaExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                               std::span<double* const> out) const {
  const Columns x = block_of(rows.inputs, begin);
  std::array<double, kBlockRows> log_y{};
  for (std::int64_t i = 0; i < count; ++i) log_y[static_cast<std::size_t>(i)] = safe_log(rows.targets[0][begin + i]);
  for (int k = 0; k < num_experts(); ++k) {
    const double shape = std::exp(*coefficients(heads_of(k)[1]));
    const double normalizer = gamma_normalizer(shape)[0];
    double* density = out[static_cast<std::size_t>(k)];
    kernels::linear_combination(x, coefficients(heads_of(k)[0]), count, density);
    for (std::int64_t i = 0; i < count; ++i)
      density[i] = log_gamma_density(density[i], shape, normalizer, log_y[static_cast<std::size_t>(i)]);
  }
}

void GammaExperts::fit(const Rows& rows, const Weights& weights) {
  note_.clear();
  for (int k = 0; k < num_experts(); ++k) {
    const double mass = weights.col(k).sum();
    if (!(mass > 0.0)) continue;
    fit_mean(k, rows, weights.col(k).data());
    fit_shape(k, rows, weights.col(k).data(), mass);
  }
}

void GammaExperts::fit_mean(int expert, const Rows& rows, const double* weights) {
  Eigen::Map<Eigen::VectorXd> b(coefficients(heads_of(expert)[0]), inputs_);
  if (b.isZero(0.0)) {  // no rows seen yet: least squares on log y
    std::vector<double> logs(static_cast<std::size_t>(rows.count));
    for (std::int64_t n = 0; n < rows.count; ++n) logs[static_cast<std::size_t>(n)] = safe_log(rows.targets[0][n]);
    b = weighted_least_squares({rows.count, rows.inputs, {logs.data()}}, weights).coefficients.col(0);
  }
  double value = mean_objective(rows, weights, b);
  std::vector<double> working(static_cast<std::size_t>(rows.count));  // y / mu - 1
  for (int step = 0; step < kMeanSteps; ++step) {
    for_blocks(rows.count, [&](std::int64_t begin, std::int64_t count) {
      double* out = working.data() + begin;
      kernels::linear_combination(block_of(rows.inputs, begin), b.data(), count, out);
      for (std::int64_t i = 0; i < count; ++i)
        out[i] = weights[begin + i] > 0.0 ? rows.targets[0][begin + i] * std::exp(-out[i]) - 1.0 : 0.0;
    });
    const LeastSquares fitted = weighted_least_squares({rows.count, rows.inputs, {working.data()}}, weights);
    if (fitted.rank_deficient) note_ = kRankDeficientNote;
    const Eigen::VectorXd direction = fitted.coefficients.col(0);
    if (!direction.allFinite()) return;
    const auto objective = [&](const Eigen::VectorXd& at) { return mean_objective(rows, weights, at); };
    if (!climb_by_halving(objective, direction, kMeanHalvings, b, value)) return;
  }
}

// The likelihood depends on the shape by c(a) - a s alone, s the weighted mean of exp(u) - 1 - u: c'(a) = log a -
// digamma(a) = s has one solution, from Minka's approximation of it by Newton's method in log a.
void GammaExperts::fit_shape(int expert, const Rows& rows, const double* weights, double mass) {
  double s = 0.0;
  sum_blocks(rows.count, 1, &s, [&](std::int64_t begin, std::int64_t count, double* partial) {
    std::vector<double> eta(kBlockRows);
    kernels::linear_combination(block_of(rows.inputs, begin), coefficients(heads_of(expert)[0]), count, eta.data());
    for (std::int64_t i = 0; i < count; ++i) {
      const double u = safe_log(rows.targets[0][begin + i]) - eta[static_cast<std::size_t>(i)];
      if (weights[begin + i] > 0.0) partial[0] += weights[begin + i] * (std::expm1(u) - u);
    }
  });
  s /= mass;
  const Eigen::Index offset = heads()[static_cast<std::size_t>(heads_of(expert)[1])].offset;
  const double highest = upper_bounds()(offset);
  const double lowest = lower_bounds()(offset);
  double& theta = *log_shape(expert);
  if (!(s > 0.5 * std::exp(-highest))) {  // c'(a) > 1 / (2 a)
    theta = highest;
    return;
  }
  theta = std::log((3.0 - s + std::sqrt((s - 3.0) * (s - 3.0) + 24.0 * s)) / (12.0 * s));
  for (int step = 0; step < kShapeSteps; ++step) {
    theta = std::clamp(theta, lowest, highest);
    const double a = std::exp(theta);
    const std::array<double, 3> c = gamma_normalizer(a);
    const double move = (c[1] - s) / (-a * c[2]);
    theta = std::clamp(theta + move, lowest, highest);
    if (std::fabs(move) < 1e-14) break;
  }
}

void GammaExperts::derivatives(int expert, const double* values, const double* targets, double* gradient,
                               double* hessian) const {
  const double a = std::exp(values[1]);
  const double u = safe_log(targets[0]) - values[0];
  const double over = std::expm1(u);
  const std::array<double, 3> c = normalizers_.at(expert, values[1], gamma_normalizer);
  gradient[0] = a * over;
  gradient[1] = a * (c[1] - (over - u));
  hessian[0] = -a * (over + 1.0);
  hessian[1] = hessian[2] = a * over;
  hessian[3] = gradient[1] + a * a * c[2];
}

std::string GammaExperts::degenerate(int expert) const {
  const Eigen::Index offset = heads()[static_cast<std::size_t>(heads_of(expert)[1])].offset;
  return parameters()(offset) >= upper_bounds()(offset) - 1e-6 ? "its variance reached the floor" : "";
}

std::vector<ShapeValue> GammaExperts::shape(int expert, const std::vector<double>& /*scales*/,
                                            const std::vector<std::string>& /*targets*/) const {
  return {{"shape", std::exp(*coefficients(heads_of(expert)[1]))}};
}

std::vector<double> GammaExperts::mean(int /*expert*/, const double* heads) const { return {std::exp(heads[0])}; }

std::vector<double> GammaExperts::variance(int /*expert*/, const double* heads) const {
  return {std::exp(2.0 * heads[0] - heads[1])};
}

double GammaExperts::cdf(int /*expert*/, const double* heads, int /*output*/, double y) const {
  return y <= 0.0 ? 0.0 : gamma_cdf(y * std::exp(heads[1] - heads[0]), std::exp(heads[1]));
}

double GammaExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  if (targets[0] < 0.0) return kLeastLogDensity;
  const double shape = std::exp(heads[1]);
  return log_gamma_density(heads[0], shape, gamma_normalizer(shape)[0], safe_log(targets[0]));
}

void GammaExperts::draw(int /*expert*/, const double* heads, Random& random, double* targets) const {
  targets[0] = std::max(std::exp(heads[0] - heads[1]) * draw_gamma(std::exp(heads[1]), random),
                        std::numeric_limits<double>::min());
}

// E|Y - y| = y (2 F_a(y) - 1) + mu (1 - 2 F_{a+1}(y)), F_{a+1} of the same scale (Scheuerer & Moeller 2015).
double GammaExperts::mean_distance(int /*expert*/, const double* heads, double y) const {
  const double mean = std::exp(heads[0]);
  if (y <= 0.0) return mean - y;
  const double a = std::exp(heads[1]);
  const double scaled = y * std::exp(heads[1] - heads[0]);
  return y * (2.0 * gamma_cdf(scaled, a) - 1.0) + mean * (1.0 - 2.0 * gamma_cdf(scaled, a + 1.0));
}

// E[Y 1(Y > Z)] = mu P(Y+ > Z), Y+ of shape a + 1 and the same scale; and G_b / (G_b + G_a) of gamma variables of scale
// 1 is a beta variable.
double GammaExperts::mean_difference(int /*one*/, const double* heads, int /*other*/, const double* other_heads) const {
  const double a = std::exp(heads[1]);
  const double b = std::exp(other_heads[1]);
  const double log_ratio = (other_heads[0] - other_heads[1]) - (heads[0] - heads[1]);  // of the scales
  const double share = 1.0 / (1.0 + std::exp(log_ratio));
  const double above = beta_cdf(share, b, a + 1.0);
  const double other_above = beta_cdf(1.0 - share, a, b + 1.0);
  return std::exp(heads[0]) * (2.0 * above - 1.0) + std::exp(other_heads[0]) * (2.0 * other_above - 1.0);
}

}  // namespace witan::mixtures
