// Newton's method for soft-target multinomial logistic regression, one pass over the rows per evaluation.
#include "mixtures/softmax_regression.h"

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/columns.h"
#include "mixtures/backtracking.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {
namespace {

constexpr int kMaxNewtonHalvings = 12;
constexpr double kGainTolerance = 1e-11;  // a predicted gain below this share of the objective is rounding

struct Slopes {
  Eigen::VectorXd gradient;
  Eigen::MatrixXd information;  // negative Hessian
};

class Problem {
 public:
  Problem(const Rows& rows, int classes, const ClassMasses& masses, const Eigen::MatrixXd& penalty)
      : rows_(rows),
        free_(classes - 1),
        inputs_(static_cast<std::int64_t>(rows.inputs.size())),
        masses_(masses),
        penalty_(penalty) {}

  // The objective; with its gradient and negative Hessian where they are asked for, in the same pass.
  double value(const Eigen::VectorXd& v, Slopes* slopes = nullptr) const {
    const std::int64_t size = slopes != nullptr ? free_ * inputs_ : 0;
    const std::int64_t pairs = free_ * (free_ + 1) / 2;
    const std::int64_t square = inputs_ * inputs_;
    const std::int64_t total = 1 + size + (slopes != nullptr ? pairs * square : 0);
    std::vector<double> sums(static_cast<std::size_t>(total));
    sum_blocks(rows_.count, total, sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
      const Block block(*this, v, begin, count);
      partial[0] += block.objective();
      if (slopes == nullptr) return;
      std::vector<double> w(kBlockRows);
      double* gradient = partial + 1;
      double* upper = gradient + size;
      for (Eigen::Index a = 0; a < free_; ++a) {
        block.residual(a + 1, w.data());
        kernels::weighted_products(block.x, w.data(), block_of({nullptr}, 0), count, gradient + a * inputs_);
        for (Eigen::Index b = a; b < free_; ++b, upper += square) {
          block.curvature(a + 1, b + 1, w.data());
          kernels::weighted_gram(block.x, w.data(), count, upper);
        }
      }
    });
    const double value = sums[0] - penalty_value(v);
    if (slopes == nullptr) return value;
    slopes->gradient = Eigen::Map<const Eigen::VectorXd>(sums.data() + 1, size);
    slopes->information.resize(size, size);
    const double* upper = sums.data() + 1 + size;
    for (Eigen::Index a = 0; a < free_; ++a) {
      for (Eigen::Index b = a; b < free_; ++b, upper += square) fill_symmetric(slopes->information, a, b, upper);
    }
    if (penalty_.size() != 0) {
      slopes->gradient -= penalty_ * v;
      slopes->information += penalty_;
    }
    return value;
  }

  // Boehning's bound of the information, whatever the coefficients: (I - 11'/C) / 2 in the classes, X'MX in the inputs.
  Eigen::MatrixXd information_bound() const {
    std::vector<double> gram(static_cast<std::size_t>(inputs_ * inputs_));
    const Eigen::VectorXd zero = Eigen::VectorXd::Zero(free_ * inputs_);
    sum_blocks(rows_.count, inputs_ * inputs_, gram.data(),
               [&](std::int64_t begin, std::int64_t count, double* partial) {
                 const Block block(*this, zero, begin, count);
                 kernels::weighted_gram(block.x, block.mass.data(), count, partial);
               });
    Eigen::MatrixXd bound(free_ * inputs_, free_ * inputs_);
    for (Eigen::Index a = 0; a < free_; ++a) {
      for (Eigen::Index b = a; b < free_; ++b) {
        std::vector<double> scaled = gram;
        const double factor = 0.5 * ((a == b ? 1.0 : 0.0) - 1.0 / static_cast<double>(free_ + 1));
        for (double& value : scaled) value *= factor;
        fill_symmetric(bound, a, b, scaled.data());
      }
    }
    if (penalty_.size() != 0) bound += penalty_;
    // A direction without rows or penalty has no information: any small number keeps the step finite there.
    bound.diagonal().array() += 1e-10 * (1.0 + bound.diagonal().maxCoeff());
    return bound;
  }

 private:
  // Logits, probabilities and masses of one block.
  struct Block {
    Block(const Problem& problem, const Eigen::VectorXd& v, std::int64_t begin, std::int64_t rows)
        : x(block_of(problem.rows_.inputs, begin)),
          count(rows),
          logits(kBlockRows, problem.free_ + 1),
          targets(kBlockRows, problem.free_ + 1),
          mass(kBlockRows),
          log_sums(kBlockRows) {
      std::vector<double*> target_columns;
      std::vector<double*> columns;
      logits.col(0).setZero();
      for (Eigen::Index c = 0; c <= problem.free_; ++c) {
        if (c > 0) {
          kernels::linear_combination(x, v.data() + (c - 1) * problem.inputs_, count, logits.col(c).data());
        }
        target_columns.push_back(targets.col(c).data());
      }
      problem.masses_(begin, count, target_columns);
      mass.head(count) = targets.topRows(count).rowwise().sum();
      probabilities = logits;
      for (Eigen::Index c = 0; c <= problem.free_; ++c) columns.push_back(probabilities.col(c).data());
      kernels::column_softmax(columns, count, log_sums.data());
    }
    double objective() const {
      return (targets.topRows(count).cwiseProduct(logits.topRows(count))).sum() -
             mass.head(count).dot(log_sums.head(count));
    }
    void residual(Eigen::Index c, double* out) const {
      Eigen::Map<Eigen::VectorXd>(out, count) =
          targets.col(c).head(count) - mass.head(count).cwiseProduct(probabilities.col(c).head(count));
    }
    void curvature(Eigen::Index a, Eigen::Index b, double* out) const {
      for (Eigen::Index i = 0; i < count; ++i) {
        out[i] = mass(i) * probabilities(i, a) * ((a == b ? 1.0 : 0.0) - probabilities(i, b));
      }
    }
    Columns x;
    std::int64_t count;
    Eigen::MatrixXd logits;
    Eigen::MatrixXd targets;
    Eigen::MatrixXd probabilities;
    Eigen::VectorXd mass;
    Eigen::VectorXd log_sums;
  };

  double penalty_value(const Eigen::VectorXd& v) const {
    return penalty_.size() == 0 ? 0.0 : 0.5 * v.dot(penalty_ * v);
  }

  // Writes the symmetric block of classes a and b, of which `upper` has the upper triangle.
  void fill_symmetric(Eigen::MatrixXd& matrix, Eigen::Index a, Eigen::Index b, const double* upper) const {
    for (Eigen::Index i = 0; i < inputs_; ++i) {
      for (Eigen::Index j = i; j < inputs_; ++j) {
        const double value = upper[i * inputs_ + j];
        matrix(a * inputs_ + i, b * inputs_ + j) = value;
        matrix(a * inputs_ + j, b * inputs_ + i) = value;
        matrix(b * inputs_ + i, a * inputs_ + j) = value;
        matrix(b * inputs_ + j, a * inputs_ + i) = value;
      }
    }
  }

  const Rows& rows_;
  Eigen::Index free_;
  Eigen::Index inputs_;
  const ClassMasses& masses_;
  const Eigen::MatrixXd& penalty_;
};

}  // namespace

double maximize_softmax(const Rows& rows, int classes, const ClassMasses& masses, const Eigen::MatrixXd& penalty,
                        int max_steps, Eigen::Ref<Eigen::VectorXd> coefficients) {
  if (classes < 2) return 0.0;
  const Problem problem(rows, classes, masses, penalty);
  Eigen::VectorXd v = coefficients;
  Slopes here;
  Slopes there;
  double value = problem.value(v, &here);
  for (int step = 0; step < max_steps; ++step) {
    // Where the last step leads, nobody needs the slopes.
    const auto objective = [&](const Eigen::VectorXd& at) {
      return problem.value(at, step + 1 < max_steps ? &there : nullptr);
    };
    const auto climb = [&](const Eigen::VectorXd& move) {
      return climb_by_halving(objective, move, kMaxNewtonHalvings, v, value);
    };
    const double threshold = kGainTolerance * (1.0 + std::fabs(value));
    bool climbed = false;
    Eigen::VectorXd newton;
    if (solve_positive_definite(here.information, here.gradient, newton) && newton.allFinite()) {
      if (here.gradient.dot(newton) < threshold) break;
      climbed = climb(newton);
    }
    if (!climbed) {
      Eigen::VectorXd bounded;
      if (!solve_positive_definite(problem.information_bound(), here.gradient, bounded)) break;
      if (here.gradient.dot(bounded) < threshold || !climb(bounded)) break;
    }
    std::swap(here, there);
  }
  coefficients = v;
  return value;
}

}  // namespace witan::mixtures
