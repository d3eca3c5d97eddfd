// Experts that are networks. Heads of this part: the parameters of each network, then the family's constants.
#include "mixtures/network_experts.h"

#include "base/error.h"

namespace witan::mixtures {

NetworkExperts::NetworkExperts(std::unique_ptr<Experts> family, std::vector<std::unique_ptr<Network>> networks,
                               double ridge)
    : family_(std::move(family)), networks_(std::move(networks)) {
  WITAN_ASSERT(family_->num_experts() == static_cast<int>(networks_.size()));
  for (const auto& network : networks_) {
    add_head(false, network->size());
    add_expert({});
  }
  penalize_all(ridge);
  for (const Head& head : family_->heads()) {
    constants_.push_back(
        head.linear ? -1
                    : add_head(false, 1, family_->lower_bounds()(head.offset), family_->upper_bounds()(head.offset)));
    if (!head.linear) *coefficients(constants_.back()) = family_->parameters()(head.offset);
  }
  penalty_.conservativeResize(parameters().size(), parameters().size());
}

void NetworkExperts::set_parameters(const Eigen::VectorXd& parameters) {
  Part::set_parameters(parameters);
  Eigen::VectorXd of_family = family_->parameters();
  for (std::size_t i = 0; i < constants_.size(); ++i) {
    if (constants_[i] >= 0) of_family(family_->heads()[i].offset) = *coefficients(constants_[i]);
  }
  family_->set_parameters(of_family);
}

Eigen::MatrixXd NetworkExperts::block_heads(const Rows& rows, std::int64_t begin, std::int64_t count, int expert,
                                            std::any& kept) const {
  const Eigen::MatrixXd predictors = networks_[static_cast<std::size_t>(expert)]->forward(
      network_parameters(expert), matrix_of(rows.inputs, begin, count), kept);
  const std::span<const int> heads = family_->heads_of(expert);
  Eigen::MatrixXd values(static_cast<Eigen::Index>(heads.size()), count);
  Eigen::Index linear = 0;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const int constant = constants_[static_cast<std::size_t>(heads[i])];
    const auto row = static_cast<Eigen::Index>(i);
    if (constant < 0) {
      values.row(row) = predictors.row(linear++);
    } else {
      values.row(row).setConstant(*coefficients(constant));
    }
  }
  return values;
}

void NetworkExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                 std::span<double* const> out) const {
  const Eigen::MatrixXd targets = matrix_of(rows.targets, begin, count);
  for (int k = 0; k < num_experts(); ++k) {
    std::any kept;
    const Eigen::MatrixXd heads = block_heads(rows, begin, count, k, kept);
    for (std::int64_t n = 0; n < count; ++n) {
      out[static_cast<std::size_t>(k)][n] = family_->log_density_at(k, heads.col(n).data(), targets.col(n).data());
    }
  }
}

void NetworkExperts::add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count,
                                  std::span<const double* const> weights, double* gradient) const {
  const Eigen::MatrixXd targets = matrix_of(rows.targets, begin, count);
  for (int k = 0; k < num_experts(); ++k) {
    std::any kept;
    const Eigen::MatrixXd heads = block_heads(rows, begin, count, k, kept);
    const std::span<const int> numbers = family_->heads_of(k);
    const Network& network = *networks_[static_cast<std::size_t>(k)];
    Eigen::MatrixXd predictors(network.outputs(), count);
    std::vector<double> of_heads(numbers.size());
    std::vector<double> hessian(numbers.size() * numbers.size());
    for (std::int64_t n = 0; n < count; ++n) {
      const double h = weights[static_cast<std::size_t>(k)][n];
      if (h == 0.0) {  // derivatives far from all experts may be infinite
        predictors.col(n).setZero();
        continue;
      }
      family_->derivatives(k, heads.col(n).data(), targets.col(n).data(), of_heads.data(), hessian.data());
      Eigen::Index linear = 0;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const int constant = constants_[static_cast<std::size_t>(numbers[i])];
        if (constant < 0) {
          predictors(linear++, n) = h * of_heads[i];
        } else {
          gradient[this->heads()[static_cast<std::size_t>(constant)].offset] += h * of_heads[i];
        }
      }
    }
    network.backward(network_parameters(k), kept, predictors,
                     gradient + this->heads()[static_cast<std::size_t>(k)].offset);
  }
}

void NetworkExperts::initialize(Random& random) {
  for (std::size_t k = 0; k < networks_.size(); ++k)
    networks_[k]->initialize(random, coefficients(static_cast<int>(k)));
}

void NetworkExperts::balance(const Rows& rows, std::int64_t begin, std::int64_t count, double margin) {
  for (std::size_t k = 0; k < networks_.size(); ++k) {
    if (!networks_[k]->balanced()) continue;
    networks_[k]->balance(network_parameters(static_cast<int>(k)), matrix_of(rows.inputs, begin, count), margin);
  }
}

void NetworkExperts::lift_balance() {
  for (const auto& network : networks_) network->lift_balance();
}

std::vector<double> NetworkExperts::head_values(const Rows& rows, int expert, std::int64_t row) const {
  std::any kept;
  const Eigen::MatrixXd values = block_heads(rows, row, 1, expert, kept);
  return {values.data(), values.data() + values.size()};
}

void NetworkExperts::fit(const Rows& /*rows*/, const Weights& /*weights*/) { WITAN_ASSERT(false); }

void NetworkExperts::derivatives(int /*expert*/, const double* /*values*/, const double* /*targets*/,
                                 double* /*gradient*/, double* /*hessian*/) const {
  WITAN_ASSERT(false);
}

}  // namespace witan::mixtures
