// Parameters and heads of a part.
#include "mixtures/part.h"

#include "base/error.h"

namespace witan::mixtures {

void Part::set_parameters(const Eigen::VectorXd& parameters) {
  WITAN_ASSERT(parameters.size() == parameters_.size());
  parameters_ = parameters;
}

double Part::penalty_value() const {
  return penalty_.size() == 0 ? 0.0 : 0.5 * parameters_.dot(penalty_ * parameters_);
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
