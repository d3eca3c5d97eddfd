// Parameters and heads of a part.
#include "mixtures/part.h"

#include "base/error.h"
#include "kernels/columns.h"

namespace witan::mixtures {

void Part::set_parameters(const Eigen::VectorXd& parameters) {
  WITAN_ASSERT(parameters.size() == parameters_.size());
  parameters_ = parameters;
}

double Part::penalty_value() const {
  return penalty_.size() == 0 ? 0.0 : 0.5 * parameters_.dot(penalty_ * parameters_);
}

void Part::penalize_all(double ridge) {
  penalty_.resize(parameters_.size(), parameters_.size());
  penalty_.setIdentity();
  penalty_ *= ridge;
}

void Part::add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count,
                        std::span<const double* const> weights, double* gradient) const {
  const Columns x = block_of(rows.inputs, begin);
  Eigen::MatrixXd values(static_cast<Eigen::Index>(heads_.size()), count);
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(count, values.rows());  // d / d head, by column
  std::vector<double> predictor(static_cast<std::size_t>(count));
  for (Eigen::Index h = 0; h < values.rows(); ++h) {
    const Head& head = heads_[static_cast<std::size_t>(h)];
    kernels::linear_combination(head.linear ? x : block_of({nullptr}, 0), parameters_.data() + head.offset, count,
                                predictor.data());
    values.row(h) = Eigen::Map<const Eigen::RowVectorXd>(predictor.data(), count);
  }
  std::vector<double> at;
  std::vector<double> first;
  std::vector<double> second;
  std::vector<double> targets(rows.targets.size());
  for (std::int64_t n = 0; n < count; ++n) {
    for (std::size_t d = 0; d < targets.size(); ++d)
      targets[d] = rows.targets[d] == nullptr ? 1.0 : rows.targets[d][begin + n];
    for (int k = 0; k < num_experts(); ++k) {
      const std::span<const int> numbers = heads_of(k);
      const double weight = weights[static_cast<std::size_t>(k)][n];
      if (weight == 0.0 || numbers.empty()) continue;
      at.resize(numbers.size());
      first.resize(numbers.size());
      second.resize(numbers.size() * numbers.size());
      for (std::size_t i = 0; i < numbers.size(); ++i) at[i] = values(numbers[i], n);
      derivatives(k, at.data(), targets.data(), first.data(), second.data());
      for (std::size_t i = 0; i < numbers.size(); ++i) sums(n, numbers[i]) += weight * first[i];
    }
  }
  for (Eigen::Index h = 0; h < values.rows(); ++h) {
    const Head& head = heads_[static_cast<std::size_t>(h)];
    kernels::weighted_products(head.linear ? x : block_of({nullptr}, 0), sums.col(h).data(), block_of({nullptr}, 0),
                               count, gradient + head.offset);
  }
}

int Part::add_head(bool linear, Eigen::Index size, double lower, double upper) {
  const Eigen::Index offset = parameters_.size();
  heads_.push_back({linear, offset, size});
  parameters_.conservativeResize(offset + size);
  lower_.conservativeResize(offset + size);
  upper_.conservativeResize(offset + size);
  parameters_.tail(size).setZero();
  lower_.tail(size).setConstant(lower);
  upper_.tail(size).setConstant(upper);
  return static_cast<int>(heads_.size()) - 1;
}

}  // namespace witan::mixtures
