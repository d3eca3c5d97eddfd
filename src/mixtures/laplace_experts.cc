// Laplace experts. Heads of an expert: the medians of the outputs, then the logs of their scales.
#include "mixtures/laplace_experts.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/distributions.h"
#include "mixtures/least_absolute.h"
#include "mixtures/least_squares.h"

namespace witan::mixtures {
namespace {

constexpr int kReweightings = 8;

}  // namespace

LaplaceExperts::LaplaceExperts(int experts, int inputs, int outputs, double scale_floor)
    : outputs_(static_cast<std::size_t>(outputs)), inputs_(inputs), floor_(scale_floor) {
  for (int k = 0; k < experts; ++k) {
    std::vector<int> heads;
    for (int d = 0; d < outputs; ++d) heads.push_back(add_head(true, inputs));
    for (int d = 0; d < outputs; ++d) heads.push_back(add_head(false, 1, std::log(scale_floor)));
    add_expert(std::move(heads));
  }
}

void LaplaceExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                 std::span<double* const> out) const {
  const Columns x = block_of(rows.inputs, begin);
  std::vector<double> median(kBlockRows);
  for (int k = 0; k < num_experts(); ++k) {
    double* density = out[static_cast<std::size_t>(k)];
    std::fill_n(density, count, 0.0);
    for (std::size_t d = 0; d < outputs_; ++d) {
      const double log_scale = *coefficients(heads_of(k)[outputs_ + d]);
      const double rate = std::exp(-log_scale);
      kernels::linear_combination(x, coefficients(heads_of(k)[d]), count, median.data());
      const double* y = rows.targets[d] + begin;
      for (std::int64_t i = 0; i < count; ++i) {
        density[i] -= std::log(2.0) + log_scale + rate * std::fabs(y[i] - median[static_cast<std::size_t>(i)]);
      }
    }
  }
}

void LaplaceExperts::fit(const Rows& rows, const Weights& weights) {
  note_.clear();
  for (int k = 0; k < num_experts(); ++k) {
    const double mass = weights.col(k).sum();
    if (!(mass > 0.0)) continue;
    for (std::size_t d = 0; d < outputs_; ++d) fit_output(k, d, rows, weights.col(k).data(), mass);
  }
}

void LaplaceExperts::fit_output(int expert, std::size_t output, const Rows& rows, const double* weights, double mass) {
  Eigen::Map<Eigen::VectorXd> b(coefficients(heads_of(expert)[output]), inputs_);
  const Column y = rows.targets[output];
  if (b.isZero(0.0)) {
    const Rows single{rows.count, rows.inputs, {y}};
    std::vector<double> reweighted(weights, weights + rows.count);
    for (int step = 0; step < kReweightings; ++step) {
      b = weighted_least_squares(single, reweighted.data()).coefficients.col(0);
      for_blocks(rows.count, [&](std::int64_t begin, std::int64_t count) {
        std::vector<double> r(kBlockRows);
        const double* start = b.data();
        double* out = r.data();
        block_residuals(single, begin, count, &start, &out);
        for (std::int64_t i = 0; i < count; ++i) {
          reweighted[static_cast<std::size_t>(begin + i)] =
              weights[begin + i] / std::max(std::fabs(r[static_cast<std::size_t>(i)]), floor_);
        }
      });
    }
  }
  if (!minimize_absolute_deviations(rows, y, weights, b)) {
    note_ = "rank-deficient inputs of an expert: its coefficients are those of least squares";
  }
  *coefficients(heads_of(expert)[outputs_ + output]) =
      std::log(std::max(absolute_deviations(rows, y, weights, b) / mass, floor_));
}

void LaplaceExperts::derivatives(int /*expert*/, const double* values, const double* targets, double* gradient,
                                 double* hessian) const {
  const std::size_t m = 2 * outputs_;
  std::fill_n(hessian, m * m, 0.0);
  for (std::size_t d = 0; d < outputs_; ++d) {
    const double rate = std::exp(-values[outputs_ + d]);
    const double r = targets[d] - values[d];
    const double sign = r > 0.0 ? 1.0 : (r < 0.0 ? -1.0 : 0.0);
    gradient[d] = sign * rate;
    gradient[outputs_ + d] = std::fabs(r) * rate - 1.0;
    hessian[d * m + outputs_ + d] = hessian[(outputs_ + d) * m + d] = -sign * rate;
    hessian[(outputs_ + d) * m + outputs_ + d] = -std::fabs(r) * rate;
  }
}

std::string LaplaceExperts::degenerate(int expert) const {
  for (std::size_t d = 0; d < outputs_; ++d) {
    if (*coefficients(heads_of(expert)[outputs_ + d]) <= std::log(floor_) + 1e-6) return "its scale reached the floor";
  }
  return {};
}

std::vector<ShapeValue> LaplaceExperts::shape(int expert, const std::vector<double>& scales,
                                              const std::vector<std::string>& targets) const {
  std::vector<ShapeValue> values;
  for (std::size_t d = 0; d < outputs_; ++d) {
    const double scale = scales[d] * std::exp(*coefficients(heads_of(expert)[outputs_ + d]));
    values.push_back({outputs_ == 1 ? "scale" : "scale(" + targets[d] + ")", scale});
  }
  return values;
}

std::vector<double> LaplaceExperts::mean(int /*expert*/, const double* heads) const {
  return {heads, heads + outputs_};
}

std::vector<double> LaplaceExperts::variance(int /*expert*/, const double* heads) const {
  std::vector<double> result;
  for (std::size_t d = 0; d < outputs_; ++d) result.push_back(2.0 * std::exp(2.0 * heads[outputs_ + d]));
  return result;
}

double LaplaceExperts::cdf(int /*expert*/, const double* heads, int output, double y) const {
  const auto d = static_cast<std::size_t>(output);
  return laplace_cdf((y - heads[d]) * std::exp(-heads[outputs_ + d]));
}

double LaplaceExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  double sum = 0.0;
  for (std::size_t d = 0; d < outputs_; ++d) {
    const double log_scale = heads[outputs_ + d];
    sum -= std::log(2.0) + log_scale + std::exp(-log_scale) * std::fabs(targets[d] - heads[d]);
  }
  return sum;
}

double LaplaceExperts::mean_distance(int /*expert*/, const double* heads, double y) const {
  const double distance = std::fabs(y - heads[0]);
  const double scale = std::exp(heads[outputs_]);
  return distance + scale * std::exp(-distance / scale);
}

// The difference of two Laplace variables of scales b and c has density (b^2 f_b - c^2 f_c) / (b^2 - c^2), by partial
// fractions of its characteristic function; where they are equal, the limit.
double LaplaceExperts::mean_difference(int /*one*/, const double* heads, int /*other*/,
                                       const double* other_heads) const {
  const double distance = std::fabs(heads[0] - other_heads[0]);
  const double b = std::exp(heads[outputs_]);
  const double c = std::exp(other_heads[outputs_]);
  if (std::fabs(b - c) < 1e-5 * (b + c)) {  // the limit is off by the square of this
    const double middle = 0.5 * (b + c);
    return distance + 0.5 * (3.0 * middle + distance) * std::exp(-distance / middle);
  }
  const double ratio = c / b;
  return distance + (b * std::exp(-distance / b) - ratio * ratio * c * std::exp(-distance / c)) / (1.0 - ratio * ratio);
}

void LaplaceExperts::draw(int /*expert*/, const double* heads, Random& random, double* targets) const {
  for (std::size_t d = 0; d < outputs_; ++d) {
    const double size = -std::exp(heads[outputs_ + d]) * std::log(random.uniform_open());
    targets[d] = heads[d] + (random.below(2) == 0 ? size : -size);
  }
}

}  // namespace witan::mixtures
