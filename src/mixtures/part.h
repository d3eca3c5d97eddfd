// What gates and experts share: parameters behind heads. A head is one scalar per row that the term of an expert
// depends on: a linear predictor of the inputs (a mean, a logit), or a constant (a log scale). With the derivatives of
// a term in its heads, the exact gradient and Hessian of any mixture follow (derivatives.h).
#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "mixtures/rows.h"

namespace witan {
class Random;
}

namespace witan::mixtures {

struct Head {
  bool linear = false;      // in the part's inputs; else constant
  Eigen::Index offset = 0;  // of its coefficients among the part's parameters
  Eigen::Index size = 0;    // 1 for a constant
};

// The term log w_k (a gate) or log f_k (experts) of every expert k.
class Part {
 public:
  Part() = default;
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  int num_experts() const { return static_cast<int>(heads_of_.size()); }
  const std::vector<Head>& heads() const { return heads_; }
  // Which heads the term of this expert depends on.
  std::span<const int> heads_of(int expert) const { return heads_of_[static_cast<std::size_t>(expert)]; }

  // The coefficients of all heads, one after the other.
  const Eigen::VectorXd& parameters() const { return parameters_; }
  virtual void set_parameters(const Eigen::VectorXd& parameters);

  // Derivatives of this expert's term at one row: values [m] of heads_of(expert) and the row's targets in, gradient [m]
  // and hessian [m, m] out.
  virtual void derivatives(int expert, const double* values, const double* targets, double* gradient,
                           double* hessian) const = 0;
  // gradient [parameters] += sum over the rows begin .. begin + count - 1 and experts of weights[k][n] times the
  // gradient of this expert's term. With responsibilities as weights this is the gradient of the log-likelihood
  // (Fisher's identity). count <= kBlockRows.
  virtual void add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count,
                            std::span<const double* const> weights, double* gradient) const;
  // Whether heads are linear or constant; else derivatives() does not exist, and only gradients train the part.
  virtual bool linear() const { return true; }
  // Random starting parameters, where zeros are a saddle: of networks.
  virtual void initialize(Random& /*random*/) {}
  // False where the term has kinks, so that no gradient vanishes at the maximum.
  virtual bool smooth() const { return true; }

  // The objective is the log-likelihood minus parameters' penalty parameters / 2; empty: none.
  const Eigen::SparseMatrix<double>& penalty() const { return penalty_; }
  double penalty_value() const;

  // Parameters stay within these.
  const Eigen::VectorXd& lower_bounds() const { return lower_; }
  const Eigen::VectorXd& upper_bounds() const { return upper_; }

 protected:
  // Appends a head with coefficients 0 and returns its number.
  int add_head(bool linear, Eigen::Index size, double lower = -std::numeric_limits<double>::infinity(),
               double upper = std::numeric_limits<double>::infinity());
  void add_expert(std::vector<int> heads) { heads_of_.push_back(std::move(heads)); }
  // Coefficients of a head, or the value of a constant one.
  double* coefficients(int head) { return parameters_.data() + heads_[static_cast<std::size_t>(head)].offset; }
  const double* coefficients(int head) const {
    return parameters_.data() + heads_[static_cast<std::size_t>(head)].offset;
  }
  // ridge / 2 times the squared sum of all parameters there are by now.
  void penalize_all(double ridge);
  Eigen::SparseMatrix<double> penalty_;

 private:
  std::vector<Head> heads_;
  std::vector<std::vector<int>> heads_of_;
  Eigen::VectorXd parameters_;
  Eigen::VectorXd lower_;
  Eigen::VectorXd upper_;
};

}  // namespace witan::mixtures
