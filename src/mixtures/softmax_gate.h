// The softmax gate, flat or hierarchical (Jordan & Jacobs 1994): log w_leaf is the sum of log softmax over the nodes on
// its path. With no input but the column of ones it is the constant gate.
#pragma once

#include "mixtures/gate.h"
#include "mixtures/tree.h"

namespace witan::mixtures {

class SoftmaxGate : public Gate {
 public:
  // Child 0 of a node has logit 0. The penalty is ridge / 2 times the squared distance of the children's slopes from
  // their mean, so that it does not matter which child is child 0; the coefficients of inputs that `penalized` marks
  // false (the intercept) are free.
  SoftmaxGate(Tree tree, const std::vector<bool>& penalized, double ridge);

  void log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                         std::span<double* const> out) const override;
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;

  const Tree& tree() const { return tree_; }

 private:
  Tree tree_;
  Eigen::Index inputs_;
  std::vector<int> first_heads_;         // of each node
  std::vector<std::vector<int>> paths_;  // of each leaf: the nodes above it
};

}  // namespace witan::mixtures
