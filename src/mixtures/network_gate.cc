// Gates that are networks.
#include "mixtures/network_gate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace witan::mixtures {

NetworkGate::NetworkGate(std::unique_ptr<Network> network, double ridge) : network_(std::move(network)) {
  add_head(false, network_->size());
  for (int k = 0; k <= network_->outputs(); ++k) add_expert({});
  penalize_all(ridge);
}

void NetworkGate::log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                                    std::span<double* const> out) const {
  std::any kept;
  const Eigen::MatrixXd logits = network_->forward(parameters().data(), matrix_of(rows.inputs, begin, count), kept);
  for (std::int64_t n = 0; n < count; ++n) {
    double largest = 0.0;
    for (Eigen::Index k = 0; k < logits.rows(); ++k) largest = std::max(largest, logits(k, n));
    double sum = std::exp(-largest);
    for (Eigen::Index k = 0; k < logits.rows(); ++k) sum += std::exp(logits(k, n) - largest);
    const double log_sum = largest + std::log(sum);
    out[0][n] = -log_sum;
    for (Eigen::Index k = 0; k < logits.rows(); ++k) out[static_cast<std::size_t>(k) + 1][n] = logits(k, n) - log_sum;
  }
}

void NetworkGate::add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count,
                               std::span<const double* const> weights, double* gradient) const {
  std::any kept;
  Eigen::MatrixXd logits = network_->forward(parameters().data(), matrix_of(rows.inputs, begin, count), kept);
  for (std::int64_t n = 0; n < count; ++n) {
    double mass = 0.0;
    for (const double* column : weights) mass += column[n];
    const double largest = std::max(0.0, logits.col(n).maxCoeff());
    Eigen::VectorXd shares = (logits.col(n).array() - largest).exp();
    shares /= shares.sum() + std::exp(-largest);
    for (Eigen::Index k = 0; k < logits.rows(); ++k)
      logits(k, n) = weights[static_cast<std::size_t>(k) + 1][n] - mass * shares(k);
  }
  network_->backward(parameters().data(), kept, logits, gradient);
}

void NetworkGate::initialize(Random& random) { network_->initialize(random, coefficients(0)); }

void NetworkGate::fit(const Rows& /*rows*/, const Weights& /*weights*/) { WITAN_ASSERT(false); }

void NetworkGate::derivatives(int /*expert*/, const double* /*values*/, const double* /*targets*/, double* /*gradient*/,
                              double* /*hessian*/) const {
  WITAN_ASSERT(false);
}

}  // namespace witan::mixtures
