// A mixture of experts: a gate and experts that meet here, and nowhere else.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <span>

#include "mixtures/experts.h"
#include "mixtures/gate.h"
#include "mixtures/rows.h"

namespace witan::mixtures {

// What a model is fitted to. Inputs of the gate and of the experts may be the same columns.
struct Data {
  Rows expert_rows;
  Rows gate_rows;            // its targets are the gate's inputs without the column of ones
  Column weights = nullptr;  // case weights, all > 0; nullptr: 1
  double total_weight = 0.0;

  std::int64_t count() const { return expert_rows.count; }
};

class Model {
 public:
  Model(std::unique_ptr<Gate> gate, std::unique_ptr<Experts> experts);

  int num_experts() const { return experts_->num_experts(); }
  Gate& gate() { return *gate_; }
  const Gate& gate() const { return *gate_; }
  Experts& experts() { return *experts_; }
  const Experts& experts() const { return *experts_; }

  // Of the gate, then of the experts.
  Eigen::VectorXd parameters() const;
  void set_parameters(const Eigen::VectorXd& parameters);
  // As they were when the model was made: no rows seen yet.
  const Eigen::VectorXd& initial_parameters() const { return initial_; }
  double penalty_value() const { return gate_->penalty_value() + experts_->penalty_value(); }
  // Of parameters().
  Eigen::VectorXd penalty_gradient() const;
  Eigen::VectorXd lower_bounds() const;
  Eigen::VectorXd upper_bounds() const;

  // out[k] [count] = log w_k + log f_k of the rows begin .. begin + count - 1.
  void log_joint(const Data& data, std::int64_t begin, std::int64_t count, std::span<double* const> out) const;

 private:
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Experts> experts_;
  Eigen::VectorXd initial_;
};

// sum_n c_n log sum_k w_k f_k.
double log_likelihood(const Model& model, const Data& data);
// Posterior responsibilities [rows, experts], not multiplied by case weights.
Eigen::MatrixXd posteriors(const Model& model, const Data& data);

}  // namespace witan::mixtures
