// The mixture density.
#include "mixtures/model.h"

#include "base/error.h"
#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

std::vector<double*> columns_of(Eigen::MatrixXd& matrix, Eigen::Index first_row) {
  std::vector<double*> columns;
  for (Eigen::Index k = 0; k < matrix.cols(); ++k) columns.push_back(matrix.col(k).data() + first_row);
  return columns;
}

Eigen::VectorXd one_after_other(const Eigen::VectorXd& gate, const Eigen::VectorXd& experts) {
  Eigen::VectorXd all(gate.size() + experts.size());
  all << gate, experts;
  return all;
}

Eigen::VectorXd penalty_gradient_of(const Part& part) {
  if (part.penalty().size() == 0) return Eigen::VectorXd::Zero(part.parameters().size());
  return part.penalty() * part.parameters();
}

}  // namespace

Model::Model(std::unique_ptr<Gate> gate, std::unique_ptr<Experts> experts)
    : gate_(std::move(gate)), experts_(std::move(experts)) {
  WITAN_ASSERT(gate_->num_experts() == experts_->num_experts());
  initial_ = parameters();
}

Eigen::VectorXd Model::parameters() const { return one_after_other(gate_->parameters(), experts_->parameters()); }

Eigen::VectorXd Model::lower_bounds() const { return one_after_other(gate_->lower_bounds(), experts_->lower_bounds()); }

Eigen::VectorXd Model::upper_bounds() const { return one_after_other(gate_->upper_bounds(), experts_->upper_bounds()); }

Eigen::VectorXd Model::penalty_gradient() const {
  return one_after_other(penalty_gradient_of(*gate_), penalty_gradient_of(*experts_));
}

void Model::set_parameters(const Eigen::VectorXd& parameters) {
  const Eigen::Index of_gate = gate_->parameters().size();
  WITAN_ASSERT(parameters.size() == of_gate + experts_->parameters().size());
  gate_->set_parameters(parameters.head(of_gate));
  experts_->set_parameters(parameters.tail(parameters.size() - of_gate));
}

void Model::log_joint(const Data& data, std::int64_t begin, std::int64_t count, std::span<double* const> out) const {
  gate_->log_probabilities(data.gate_rows, begin, count, out);
  Eigen::MatrixXd densities(kBlockRows, num_experts());
  const std::vector<double*> columns = columns_of(densities, 0);
  experts_->log_density(data.expert_rows, begin, count, columns);
  for (std::size_t k = 0; k < out.size(); ++k) {
    for (std::int64_t i = 0; i < count; ++i) out[k][i] += columns[k][i];
  }
}

double log_likelihood(const Model& model, const Data& data) {
  double total = 0.0;
  sum_blocks(data.count(), 1, &total, [&](std::int64_t begin, std::int64_t count, double* partial) {
    Eigen::MatrixXd joint(kBlockRows, model.num_experts());
    std::vector<double> log_sums(kBlockRows);
    const std::vector<double*> columns = columns_of(joint, 0);
    model.log_joint(data, begin, count, columns);
    kernels::column_softmax(columns, count, log_sums.data());
    const Columns weights = block_of({data.weights}, begin);
    for (std::int64_t i = 0; i < count; ++i) partial[0] += weights[0][i] * log_sums[static_cast<std::size_t>(i)];
  });
  return total;
}

Eigen::MatrixXd posteriors(const Model& model, const Data& data) {
  Eigen::MatrixXd result(data.count(), model.num_experts());
  for_blocks(data.count(), [&](std::int64_t begin, std::int64_t count) {
    std::vector<double> log_sums(kBlockRows);
    const std::vector<double*> columns = columns_of(result, begin);
    model.log_joint(data, begin, count, columns);
    kernels::column_softmax(columns, count, log_sums.data());
  });
  return result;
}

}  // namespace witan::mixtures
