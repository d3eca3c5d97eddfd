// Student-t experts.
#include "mixtures/student_t_experts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/random.h"
#include "mixtures/distributions.h"
#include "mixtures/least_squares.h"

namespace witan::mixtures {
namespace {

constexpr double kMinNu = 1.0;
constexpr double kMaxNu = 200.0;
constexpr double kStartNu = 10.0;

// What does not depend on the row: log Gamma((nu + D) / 2) - log Gamma(nu / 2) - D / 2 log(nu pi).
double log_normalizer(double nu, double outputs) {
  return std::lgamma(0.5 * (nu + outputs)) - std::lgamma(0.5 * nu) - 0.5 * outputs * std::log(nu * std::numbers::pi);
}

// The same with its first and second derivative in nu.
std::array<double, 3> normalizer(double nu, double outputs) {
  const double a = 0.5 * (nu + outputs);
  const double b = 0.5 * nu;
  return {log_normalizer(nu, outputs), 0.5 * (digamma(a) - digamma(b)) - 0.5 * outputs / nu,
          0.25 * (trigamma(a) - trigamma(b)) + 0.5 * outputs / (nu * nu)};
}

// What depends on the row. Not by log1p, which takes several times as long: nothing but rounding of the sum is lost.
double log_tail(double nu, double outputs, double distance) {
  return -0.5 * (nu + outputs) * std::log(1.0 + distance / nu);
}

// log_tail with its first and second derivative in nu.
std::array<double, 3> tail_terms(double nu, double outputs, double distance) {
  const double s = nu + distance;
  const double log = std::log(1.0 + distance / nu);
  const double share = 0.5 * distance / (nu * s);
  return {-0.5 * (nu + outputs) * log, -0.5 * log + (nu + outputs) * share,
          share * (1.0 + (nu * s - (nu + outputs) * (nu + s)) / (nu * s))};
}

}  // namespace

StudentTExperts::StudentTExperts(int experts, int inputs, int outputs, Covariance covariance, double variance_floor)
    : outputs_(static_cast<std::size_t>(outputs)),
      floor_(variance_floor),
      scale_(covariance, outputs),
      normalizers_(experts) {
  const double highest = -0.5 * std::log(variance_floor);
  for (int k = 0; k < experts; ++k) {
    std::vector<int> heads;
    for (int d = 0; d < outputs; ++d) heads.push_back(add_head(true, inputs));
    for (int i = 0; i < scale_.num_heads(); ++i) {
      heads.push_back(scale_.is_diagonal(i) ? add_head(false, 1, -highest - 100.0, highest) : add_head(false, 1));
    }
    heads.push_back(add_head(false, 1, std::log(kMinNu), std::log(kMaxNu)));
    *coefficients(heads.back()) = std::log(kStartNu);
    add_expert(std::move(heads));
  }
}

void StudentTExperts::set_parameters(const Eigen::VectorXd& parameters) {
  Experts::set_parameters(parameters);
  const auto of_nu = [&](double nu) { return normalizer(nu, static_cast<double>(outputs_)); };
  for (int k = 0; k < num_experts(); ++k) normalizers_.remember(k, log_nu(k), of_nu);
}

double StudentTExperts::degrees_of_freedom(int expert) const {
  return std::exp(*coefficients(heads_of(expert).back()));
}
Eigen::MatrixXd StudentTExperts::scale(int expert) const { return scale_.covariance(scale_heads(expert)); }

void StudentTExperts::block_distances(int expert, const Rows& rows, std::int64_t begin, std::int64_t count,
                                      double* distances) const {
  Eigen::MatrixXd residuals(kBlockRows, outputs_);
  std::vector<double*> r;
  std::vector<const double*> means;
  for (std::size_t d = 0; d < outputs_; ++d) {
    r.push_back(residuals.col(static_cast<Eigen::Index>(d)).data());
    means.push_back(coefficients(heads_of(expert)[d]));
  }
  block_residuals(rows, begin, count, means.data(), r.data());
  const Eigen::MatrixXd l = scale_.factor(scale_heads(expert));
  if (outputs_ == 1) {
    for (std::int64_t i = 0; i < count; ++i) distances[i] = l(0, 0) * r[0][i] * (l(0, 0) * r[0][i]);
    return;
  }
  Eigen::Map<Eigen::VectorXd>(distances, count) = (residuals.topRows(count) * l).rowwise().squaredNorm();
}

void StudentTExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                  std::span<double* const> out) const {
  const auto outputs = static_cast<double>(outputs_);
  for (int k = 0; k < num_experts(); ++k) {
    const double nu = degrees_of_freedom(k);
    const double constant = log_normalizer(nu, outputs) + scale_.factor(scale_heads(k)).diagonal().array().log().sum();
    double* density = out[static_cast<std::size_t>(k)];
    block_distances(k, rows, begin, count, density);
    for (std::int64_t i = 0; i < count; ++i) density[i] = constant + log_tail(nu, outputs, density[i]);
  }
}

void StudentTExperts::fit(const Rows& rows, const Weights& weights) {
  note_.clear();
  for (int k = 0; k < num_experts(); ++k) {
    const double mass = weights.col(k).sum();
    if (!(mass > 0.0)) continue;
    fit_location(k, rows, weights.col(k).data(), mass);
    fit_degrees_of_freedom(k, rows, weights.col(k).data(), mass);
  }
}

void StudentTExperts::fit_location(int expert, const Rows& rows, const double* weights, double mass) {
  const double nu = degrees_of_freedom(expert);
  std::vector<double> scaled(static_cast<std::size_t>(rows.count));
  for_blocks(rows.count, [&](std::int64_t begin, std::int64_t count) {
    block_distances(expert, rows, begin, count, scaled.data() + begin);
    for (std::int64_t i = begin; i < begin + count; ++i) {
      double& value = scaled[static_cast<std::size_t>(i)];
      value = weights[i] * (nu + static_cast<double>(outputs_)) / (nu + value);
    }
  });
  const LeastSquares fitted = weighted_least_squares(rows, scaled.data());
  if (fitted.rank_deficient) note_ = kRankDeficientNote;
  for (std::size_t d = 0; d < outputs_; ++d) {
    const auto column = fitted.coefficients.col(static_cast<Eigen::Index>(d));
    std::copy(column.begin(), column.end(), coefficients(heads_of(expert)[d]));
  }
  scale_.set(weighted_residual_products(rows, scaled.data(), fitted.coefficients) / mass, floor_, scale_heads(expert));
}

void StudentTExperts::fit_degrees_of_freedom(int expert, const Rows& rows, const double* weights, double mass) {
  const auto outputs = static_cast<double>(outputs_);
  std::vector<double> distances(static_cast<std::size_t>(rows.count));
  for_blocks(rows.count, [&](std::int64_t begin, std::int64_t count) {
    block_distances(expert, rows, begin, count, distances.data() + begin);
  });
  const auto value_at = [&](double theta) {
    const double nu = std::exp(theta);
    double sum = 0.0;
    sum_blocks(rows.count, 1, &sum, [&](std::int64_t begin, std::int64_t count, double* partial) {
      for (std::int64_t n = begin; n < begin + count; ++n)
        partial[0] += weights[n] * log_tail(nu, outputs, distances[static_cast<std::size_t>(n)]);
    });
    return sum + mass * log_normalizer(nu, outputs);
  };
  // Value, first and second derivative in log nu.
  const auto derivatives_at = [&](double theta) {
    const double nu = std::exp(theta);
    std::array<double, 3> sums{};
    sum_blocks(rows.count, 3, sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
      for (std::int64_t n = begin; n < begin + count; ++n) {
        const std::array<double, 3> terms = tail_terms(nu, outputs, distances[static_cast<std::size_t>(n)]);
        for (std::size_t i = 0; i < 3; ++i) partial[i] += weights[n] * terms[i];
      }
    });
    const std::array<double, 3> constant = normalizer(nu, outputs);
    const double first = sums[1] + mass * constant[1];
    const double second = sums[2] + mass * constant[2];
    return std::array<double, 3>{sums[0] + mass * constant[0], nu * first, nu * nu * second + nu * first};
  };
  const double theta = log_nu(expert);
  const std::array<double, 3> here = derivatives_at(theta);
  const double newton = here[2] < 0.0 ? -here[1] / here[2] : std::copysign(1.0, here[1]);
  double length = std::clamp(newton, -1.0, 1.0);
  for (int halving = 0; halving < 8; ++halving, length *= 0.5) {
    const double candidate = std::clamp(theta + length, std::log(kMinNu), std::log(kMaxNu));
    if (value_at(candidate) < here[0]) continue;
    log_nu(expert) = candidate;
    return;
  }
}

void StudentTExperts::derivatives(int expert, const double* values, const double* targets, double* gradient,
                                  double* hessian) const {
  const auto outputs = static_cast<double>(outputs_);
  const auto last = static_cast<Eigen::Index>(heads_of(expert).size()) - 1;  // of log nu
  const double nu = std::exp(values[last]);
  const std::array<double, 3> constant =
      normalizers_.at(expert, values[last], [&](double at) { return normalizer(at, outputs); });
  Eigen::Map<Eigen::VectorXd> g(gradient, last + 1);
  Eigen::Map<Eigen::MatrixXd> h(hessian, last + 1, last + 1);
  double distance = 0.0;
  if (outputs_ == 1) {  // the same as below without the matrices
    const double precision = std::exp(2.0 * values[1]);
    const double r = targets[0] - values[0];
    distance = precision * r * r;
    const double s = nu + distance;
    const double u = (nu + 1.0) / s;
    g(0) = u * precision * r;
    g(1) = 1.0 - u * distance;
    h(0, 0) = u * precision * (2.0 * distance / s - 1.0);
    h(0, 1) = h(1, 0) = 2.0 * u * precision * r * (1.0 - distance / s);
    h(1, 1) = 2.0 * u * distance * (distance / s - 1.0);
    const double with_nu = -nu * (distance - 1.0) / (s * s);
    h(0, 2) = h(2, 0) = -with_nu * precision * r;
    h(1, 2) = h(2, 1) = with_nu * distance;
  } else {
    const Scale::Derivatives d = scale_.derivatives(values, targets);
    distance = d.distance;
    const double s = nu + distance;
    const double u = (nu + outputs) / s;
    g.head(last) = d.log_det_gradient - 0.5 * u * d.distance_gradient;
    h.topLeftCorner(last, last) =
        -0.5 * u * d.distance_hessian + 0.5 * u / s * d.distance_gradient * d.distance_gradient.transpose();
    h.col(last).head(last) = -0.5 * nu * (distance - outputs) / (s * s) * d.distance_gradient;
    h.row(last).head(last) = h.col(last).head(last).transpose();
  }
  const std::array<double, 3> terms = tail_terms(nu, outputs, distance);
  const double first = constant[1] + terms[1];
  g(last) = nu * first;
  h(last, last) = nu * nu * (constant[2] + terms[2]) + nu * first;
}

std::string StudentTExperts::degenerate(int expert) const {
  return scale_.at_floor(scale_heads(expert), floor_) ? "its scale reached the floor" : "";
}

std::vector<ShapeValue> StudentTExperts::shape(int expert, const std::vector<double>& scales,
                                               const std::vector<std::string>& targets) const {
  std::vector<ShapeValue> values =
      covariance_values(scale(expert), scale_.num_heads() > scale_.outputs(), scales, targets);
  values.push_back({"nu", degrees_of_freedom(expert)});
  return values;
}

std::vector<double> StudentTExperts::mean(int /*expert*/, const double* heads) const {
  // A t distribution with one degree of freedom has no mean; its centre stands for it.
  return {heads, heads + outputs_};
}

std::vector<double> StudentTExperts::variance(int /*expert*/, const double* heads) const {
  const double nu = std::exp(heads[outputs_ + static_cast<std::size_t>(scale_.num_heads())]);
  const double factor = nu > 2.0 ? nu / (nu - 2.0) : std::numeric_limits<double>::infinity();
  std::vector<double> variances = scale_.variances(heads + outputs_);
  for (double& value : variances) value *= factor;
  return variances;
}

double StudentTExperts::cdf(int /*expert*/, const double* heads, int output, double y) const {
  const double nu = std::exp(heads[outputs_ + static_cast<std::size_t>(scale_.num_heads())]);
  return student_t_cdf((y - heads[output]) / std::sqrt(scale_.variance(heads + outputs_, output)), nu);
}

double StudentTExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  const auto outputs = static_cast<double>(outputs_);
  const double nu = std::exp(heads[outputs_ + static_cast<std::size_t>(scale_.num_heads())]);
  const Scale::Distance d = scale_.distance(heads, targets);
  return log_normalizer(nu, outputs) + d.log_det + log_tail(nu, outputs, d.distance);
}

void StudentTExperts::draw(int /*expert*/, const double* heads, Random& random, double* targets) const {
  const double nu = std::exp(heads[outputs_ + static_cast<std::size_t>(scale_.num_heads())]);
  const Eigen::VectorXd noise = scale_.draw(heads + outputs_, random);
  const double shrink = std::sqrt(draw_gamma(0.5 * nu, random) / (0.5 * nu));  // chi-squared over its mean
  for (std::size_t d = 0; d < outputs_; ++d) targets[d] = heads[d] + noise(static_cast<Eigen::Index>(d)) / shrink;
}

}  // namespace witan::mixtures
