// Gaussian gates. Heads: the logits of a_k (expert 0 has logit 0), then for each expert the mean and the scale of its
// region.
#include "mixtures/gaussian_gate.h"

#include <algorithm>
#include <cmath>

namespace witan::mixtures {
namespace {

constexpr double kLeastProbability = 1e-300;

Rows region_rows(const Rows& rows) { return {rows.count, {nullptr}, rows.targets}; }

}  // namespace

GaussianGate::GaussianGate(int experts, int inputs, Covariance covariance, double variance_floor)
    : inputs_(inputs),
      covariance_(covariance),
      regions_(experts, 1, inputs, {covariance, false, variance_floor, false}) {
  std::vector<int> logits;
  for (int k = 1; k < experts; ++k) logits.push_back(add_head(false, 1));
  const int first = static_cast<int>(logits.size());
  for (const Head& head : regions_.heads()) {
    const auto at = head.offset;
    add_head(false, 1, regions_.lower_bounds()(at), regions_.upper_bounds()(at));
  }
  for (int k = 0; k < experts; ++k) {
    std::vector<int> all = logits;
    for (const int head : regions_.heads_of(k)) all.push_back(first + head);
    add_expert(std::move(all));
  }
}

void GaussianGate::set_parameters(const Eigen::VectorXd& parameters) {
  Part::set_parameters(parameters);
  regions_.set_parameters(parameters.tail(regions_.parameters().size()));
}

std::vector<double> GaussianGate::log_priors() const {
  std::vector<double> logits(static_cast<std::size_t>(num_experts()), 0.0);
  for (std::size_t k = 1; k < logits.size(); ++k) logits[k] = parameters()(static_cast<Eigen::Index>(k) - 1);
  const double top = *std::max_element(logits.begin(), logits.end());
  double total = 0.0;
  for (const double logit : logits) total += std::exp(logit - top);
  for (double& logit : logits) logit -= top + std::log(total);
  return logits;
}

void GaussianGate::log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                                     std::span<double* const> out) const {
  regions_.log_density(region_rows(rows), begin, count, out);
  const std::vector<double> priors = log_priors();
  for (std::size_t k = 0; k < out.size(); ++k) {
    for (std::int64_t i = 0; i < count; ++i) out[k][i] += priors[k];
  }
}

void GaussianGate::fit(const Rows& rows, const Weights& weights) {
  regions_.fit(region_rows(rows), weights);
  Eigen::VectorXd all = parameters();
  all.tail(regions_.parameters().size()) = regions_.parameters();
  const Eigen::VectorXd masses = weights.colwise().sum().transpose().cwiseMax(kLeastProbability);
  for (int k = 1; k < num_experts(); ++k) all(k - 1) = std::log(masses(k) / masses(0));
  set_parameters(all);
}

void GaussianGate::derivatives(int expert, const double* values, const double* targets, double* gradient,
                               double* hessian) const {
  const auto free = static_cast<Eigen::Index>(num_experts()) - 1;
  const auto m = static_cast<Eigen::Index>(heads_of(expert).size());
  const Eigen::Index rest = m - free;
  Eigen::Map<Eigen::MatrixXd> h(hessian, m, m);
  h.setZero();
  const std::vector<double> priors = log_priors();
  for (Eigen::Index a = 0; a < free; ++a) {
    const double pa = std::exp(priors[static_cast<std::size_t>(a) + 1]);
    gradient[a] = (expert == a + 1 ? 1.0 : 0.0) - pa;
    for (Eigen::Index b = 0; b < free; ++b) {
      h(a, b) = -pa * ((a == b ? 1.0 : 0.0) - std::exp(priors[static_cast<std::size_t>(b) + 1]));
    }
  }
  const Scale scale(covariance_, static_cast<int>(inputs_));
  const Scale::Derivatives d = scale.derivatives(values + free, targets);
  Eigen::Map<Eigen::VectorXd>(gradient + free, rest) = d.log_det_gradient - 0.5 * d.distance_gradient;
  h.bottomRightCorner(rest, rest) = -0.5 * d.distance_hessian;
}

std::string GaussianGate::degenerate(int expert) const {
  return regions_.degenerate(expert).empty() ? "" : "its region in the gate collapsed to the variance floor";
}

double GaussianGate::probability(int expert) const { return std::exp(log_priors()[static_cast<std::size_t>(expert)]); }

std::vector<double> GaussianGate::mean(int expert) const {
  std::vector<double> result;
  for (const int head : regions_.heads_of(expert).first(static_cast<std::size_t>(inputs_))) {
    result.push_back(regions_.parameters()(regions_.heads()[static_cast<std::size_t>(head)].offset));
  }
  return result;
}

Eigen::MatrixXd GaussianGate::covariance(int expert) const { return regions_.covariance(expert); }

}  // namespace witan::mixtures
