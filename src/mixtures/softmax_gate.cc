// Softmax gates over trees.
#include "mixtures/softmax_gate.h"

#include <algorithm>
#include <cmath>

#include "kernels/columns.h"
#include "mixtures/softmax_regression.h"

namespace witan::mixtures {
namespace {

constexpr int kGateNewtonSteps = 1;

}  // namespace

SoftmaxGate::SoftmaxGate(Tree tree, const std::vector<bool>& penalized, double ridge)
    : tree_(std::move(tree)), inputs_(static_cast<Eigen::Index>(penalized.size())) {
  for (const TreeNode& node : tree_.nodes) {
    first_heads_.push_back(static_cast<int>(heads().size()));
    for (int c = 1; c < node.children(); ++c) add_head(true, inputs_);
  }
  for (int leaf = 0; leaf < tree_.leaves; ++leaf) {
    std::vector<int> heads_of_leaf;
    paths_.emplace_back();
    for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
      if (tree_.nodes[i].child_of(leaf) < 0) continue;
      paths_.back().push_back(static_cast<int>(i));
      for (int c = 1; c < tree_.nodes[i].children(); ++c) heads_of_leaf.push_back(first_heads_[i] + c - 1);
    }
    add_expert(std::move(heads_of_leaf));
  }
  std::vector<Eigen::Triplet<double>> entries;
  for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
    const int children = tree_.nodes[i].children();
    for (int a = 1; a < children; ++a) {
      for (int b = 1; b < children; ++b) {
        const double centred = (a == b ? 1.0 : 0.0) - 1.0 / children;
        for (Eigen::Index j = 0; j < inputs_; ++j) {
          if (!penalized[static_cast<std::size_t>(j)]) continue;
          entries.emplace_back((first_heads_[i] + a - 1) * inputs_ + j, (first_heads_[i] + b - 1) * inputs_ + j,
                               ridge * centred);
        }
      }
    }
  }
  penalty_.resize(parameters().size(), parameters().size());
  penalty_.setFromTriplets(entries.begin(), entries.end());
}

void SoftmaxGate::log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                                    std::span<double* const> out) const {
  const Columns x = block_of(rows.inputs, begin);
  for (double* column : out) std::fill_n(column, count, 0.0);
  std::vector<double> log_sums(kBlockRows);
  for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
    const TreeNode& node = tree_.nodes[i];
    if (node.children() < 2) continue;
    Eigen::MatrixXd logits(kBlockRows, node.children());
    logits.col(0).setZero();
    for (int c = 1; c < node.children(); ++c) {
      kernels::linear_combination(x, coefficients(first_heads_[i] + c - 1), count, logits.col(c).data());
    }
    Eigen::MatrixXd probabilities = logits;
    std::vector<double*> columns;
    for (Eigen::Index c = 0; c < node.children(); ++c) columns.push_back(probabilities.col(c).data());
    kernels::column_softmax(columns, count, log_sums.data());
    for (int c = 0; c < node.children(); ++c) {
      const double* logit = logits.col(c).data();
      for (int leaf = node.bounds[static_cast<std::size_t>(c)]; leaf < node.bounds[static_cast<std::size_t>(c) + 1];
           ++leaf) {
        double* result = out[static_cast<std::size_t>(leaf)];
        for (std::int64_t r = 0; r < count; ++r) result[r] += logit[r] - log_sums[static_cast<std::size_t>(r)];
      }
    }
  }
}

void SoftmaxGate::fit(const Rows& rows, const Weights& weights) {
  for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
    const TreeNode& node = tree_.nodes[i];
    const Eigen::Index size = (node.children() - 1) * inputs_;
    if (size == 0) continue;
    // The node's responsibilities: those of all leaves below each child.
    const ClassMasses masses = [&](std::int64_t begin, std::int64_t count, std::span<double* const> out) {
      for (std::size_t c = 0; c < out.size(); ++c) {
        Eigen::Map<Eigen::VectorXd> sum(out[c], count);
        sum = weights.col(node.bounds[c]).segment(begin, count);
        for (int leaf = node.bounds[c] + 1; leaf < node.bounds[c + 1]; ++leaf)
          sum += weights.col(leaf).segment(begin, count);
      }
    };
    const Eigen::Index offset = heads()[static_cast<std::size_t>(first_heads_[i])].offset;
    Eigen::Map<Eigen::VectorXd> v(coefficients(first_heads_[i]), size);
    const Eigen::MatrixXd penalty = penalty_.block(offset, offset, size, size);
    maximize_softmax(rows, node.children(), masses, penalty, kGateNewtonSteps, v);
  }
}

void SoftmaxGate::derivatives(int expert, const double* values, const double* /*targets*/, double* gradient,
                              double* hessian) const {
  const auto m = static_cast<std::size_t>(heads_of(expert).size());
  std::fill_n(hessian, m * m, 0.0);
  std::size_t first = 0;
  for (const int i : paths_[static_cast<std::size_t>(expert)]) {
    const TreeNode& node = tree_.nodes[static_cast<std::size_t>(i)];
    const int child = node.child_of(expert);
    const auto free = static_cast<std::size_t>(node.children()) - 1;
    double top = 0.0;
    for (std::size_t c = 0; c < free; ++c) top = std::max(top, values[first + c]);
    double total = std::exp(-top);
    double* negative = gradient + first;  // the children's probabilities, until they are needed no more
    for (std::size_t c = 0; c < free; ++c) total += negative[c] = std::exp(values[first + c] - top);
    for (std::size_t c = 0; c < free; ++c) negative[c] /= -total;
    for (std::size_t a = 0; a < free; ++a) {
      for (std::size_t b = 0; b < free; ++b)
        hessian[(first + a) * m + first + b] = negative[a] * ((a == b ? 1.0 : 0.0) + negative[b]);
    }
    if (child > 0) negative[child - 1] += 1.0;
    first += free;
  }
}

}  // namespace witan::mixtures
