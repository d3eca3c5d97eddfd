// Linear Gaussian experts.
#include "mixtures/gaussian_experts.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/columns.h"
#include "mixtures/distributions.h"
#include "mixtures/least_squares.h"

namespace witan::mixtures {
namespace {

// E|Z| of a normal variable with this mean and standard deviation.
double mean_absolute(double mean, double deviation) {
  const double z = mean / deviation;
  const double density = std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
  return 2.0 * deviation * density + mean * (2.0 * normal_cdf(z) - 1.0);
}

}  // namespace

GaussianExperts::GaussianExperts(int experts, int inputs, int outputs, const GaussianOptions& options)
    : outputs_(static_cast<std::size_t>(outputs)),
      inputs_(inputs),
      options_(options),
      scale_(options.covariance, outputs) {
  const double highest = -0.5 * std::log(options.variance_floor);
  const auto add_scale = [&] {
    std::vector<int> heads;
    for (int i = 0; i < scale_.num_heads(); ++i) {
      heads.push_back(scale_.is_diagonal(i) ? add_head(false, 1, -highest - 100.0, highest) : add_head(false, 1));
    }
    return heads;
  };
  std::vector<std::vector<int>> means(static_cast<std::size_t>(experts));
  std::vector<int> scale;
  for (std::vector<int>& heads : means) {
    for (int d = 0; d < outputs; ++d) heads.push_back(add_head(true, inputs));
    if (!options.shared) {
      scale = add_scale();
      heads.insert(heads.end(), scale.begin(), scale.end());
    }
  }
  if (options.shared) scale = add_scale();
  for (std::vector<int>& heads : means) {
    if (options.shared) heads.insert(heads.end(), scale.begin(), scale.end());
    add_expert(std::move(heads));
  }
}

void GaussianExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                  std::span<double* const> out) const {
  Eigen::MatrixXd residuals(kBlockRows, outputs_);
  std::vector<double*> r;
  for (std::size_t d = 0; d < outputs_; ++d) r.push_back(residuals.col(static_cast<Eigen::Index>(d)).data());
  std::vector<const double*> means(outputs_);
  std::vector<double> z(kBlockRows);
  for (int k = 0; k < num_experts(); ++k) {
    for (std::size_t d = 0; d < outputs_; ++d) means[d] = coefficients(heads_of(k)[d]);
    block_residuals(rows, begin, count, means.data(), r.data());
    const Eigen::MatrixXd l = scale_.factor(scale_heads(k));
    const double constant =
        l.diagonal().array().log().sum() - 0.5 * static_cast<double>(outputs_) * std::log(2.0 * std::numbers::pi);
    double* density = out[static_cast<std::size_t>(k)];
    std::fill_n(density, count, constant);
    for (std::size_t j = 0; j < outputs_; ++j) {
      const auto column = static_cast<Eigen::Index>(j);
      for (std::int64_t i = 0; i < count; ++i) z[static_cast<std::size_t>(i)] = l(column, column) * r[j][i];
      for (std::size_t below = j + 1; below < outputs_; ++below) {
        const double factor = l(static_cast<Eigen::Index>(below), column);
        if (factor == 0.0) continue;
        for (std::int64_t i = 0; i < count; ++i) z[static_cast<std::size_t>(i)] += factor * r[below][i];
      }
      for (std::int64_t i = 0; i < count; ++i) {
        const double scaled = z[static_cast<std::size_t>(i)];
        density[i] -= 0.5 * scaled * scaled;
      }
    }
    for (std::int64_t i = 0; i < count; ++i) density[i] = std::max(density[i], kLeastLogDensity);
  }
}

void GaussianExperts::fit(const Rows& rows, const Weights& weights) {
  note_.clear();
  const double correction = options_.unbiased && rows.count > inputs_
                                ? static_cast<double>(rows.count) / static_cast<double>(rows.count - inputs_)
                                : 1.0;
  Eigen::MatrixXd pooled = Eigen::MatrixXd::Zero(scale_.outputs(), scale_.outputs());
  double pooled_mass = 0.0;
  for (int k = 0; k < num_experts(); ++k) {
    const double* h = weights.col(k).data();
    const double mass = weights.col(k).sum();
    if (!(mass > 0.0)) continue;
    const LeastSquares fitted = weighted_least_squares(rows, h);
    if (fitted.rank_deficient) note_ = kRankDeficientNote;
    for (std::size_t d = 0; d < outputs_; ++d) {
      const auto column = fitted.coefficients.col(static_cast<Eigen::Index>(d));
      std::copy(column.begin(), column.end(), coefficients(heads_of(k)[d]));
    }
    const Eigen::MatrixXd products = weighted_residual_products(rows, h, fitted.coefficients);
    if (options_.shared) {
      pooled += products;
      pooled_mass += mass;
    } else {
      scale_.set(correction / mass * products, options_.variance_floor, scale_heads(k));
    }
  }
  if (options_.shared && pooled_mass > 0.0) {
    scale_.set(correction / pooled_mass * pooled, options_.variance_floor, scale_heads(0));
  }
}

void GaussianExperts::derivatives(int /*expert*/, const double* values, const double* targets, double* gradient,
                                  double* hessian) const {
  if (outputs_ == 1) {  // the same as below without the matrices: this is where large tables spend their time
    const double precision = std::exp(2.0 * values[1]);
    const double r = targets[0] - values[0];
    gradient[0] = precision * r;
    gradient[1] = 1.0 - precision * r * r;
    hessian[0] = -precision;
    hessian[1] = hessian[2] = 2.0 * precision * r;
    hessian[3] = -2.0 * precision * r * r;
    return;
  }
  const Scale::Derivatives d = scale_.derivatives(values, targets);
  const Eigen::Index m = d.distance_gradient.size();
  Eigen::Map<Eigen::VectorXd>(gradient, m) = d.log_det_gradient - 0.5 * d.distance_gradient;
  Eigen::Map<Eigen::MatrixXd>(hessian, m, m) = -0.5 * d.distance_hessian;
}

std::string GaussianExperts::degenerate(int expert) const {
  return scale_.at_floor(scale_heads(expert), options_.variance_floor) ? "its variance reached the floor" : "";
}

Eigen::MatrixXd GaussianExperts::covariance(int expert) const { return scale_.covariance(scale_heads(expert)); }

std::vector<ShapeValue> GaussianExperts::shape(int expert, const std::vector<double>& scales,
                                               const std::vector<std::string>& targets) const {
  return covariance_values(covariance(expert), options_.covariance == Covariance::kFull, scales, targets);
}

std::vector<double> GaussianExperts::mean(int /*expert*/, const double* heads) const {
  return {heads, heads + outputs_};
}

std::vector<double> GaussianExperts::variance(int /*expert*/, const double* heads) const {
  return scale_.variances(heads + outputs_);
}

double GaussianExperts::cdf(int /*expert*/, const double* heads, int output, double y) const {
  return normal_cdf((y - heads[output]) / std::sqrt(scale_.variance(heads + outputs_, output)));
}

double GaussianExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  const Scale::Distance d = scale_.distance(heads, targets);
  const double constant = 0.5 * static_cast<double>(outputs_) * std::log(2.0 * std::numbers::pi);
  return std::max(d.log_det - 0.5 * d.distance - constant, kLeastLogDensity);
}

double GaussianExperts::mean_distance(int expert, const double* heads, double y) const {
  return mean_absolute(y - heads[0], std::sqrt(variance(expert, heads)[0]));
}

double GaussianExperts::mean_difference(int one, const double* heads, int other, const double* other_heads) const {
  return mean_absolute(heads[0] - other_heads[0], std::sqrt(variance(one, heads)[0] + variance(other, other_heads)[0]));
}

void GaussianExperts::draw(int /*expert*/, const double* heads, Random& random, double* targets) const {
  const Eigen::VectorXd noise = scale_.draw(heads + outputs_, random);
  for (std::size_t d = 0; d < outputs_; ++d) targets[d] = heads[d] + noise(static_cast<Eigen::Index>(d));
}

}  // namespace witan::mixtures
