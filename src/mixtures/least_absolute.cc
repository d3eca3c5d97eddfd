// Edge descent for least absolute deviations. A residual of exactly 0 outside the basis counts as positive throughout,
// as if moved by an infinitely small amount, which keeps duplicated rows from stopping the descent.
#include "mixtures/least_absolute.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/columns.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {
namespace {

constexpr int kMaxPivots = 2000;
constexpr double kIndependent = 1e-8;   // least share of a row outside the span of the basis
constexpr double kSumRounding = 4e-16;  // residuals below this share of the targets are 0
constexpr double kOptimal = 1e-10;      // slopes below this share of the weights are rounding

class EdgeDescent {
 public:
  EdgeDescent(const Rows& rows, Column target, const double* weights)
      : rows_(rows), target_(target), weights_(weights), inputs_(static_cast<Eigen::Index>(rows.inputs.size())) {}

  bool run(Eigen::Ref<Eigen::VectorXd> b) {
    update_residuals(b);
    if (!choose_basis()) return false;
    solve_corner(b);
    const double scale = total_weight();
    for (int pivot = 0; pivot < kMaxPivots && step(scale); ++pivot) solve_corner(b);
    return true;
  }

 private:
  Eigen::VectorXd row(std::int64_t n) const {
    Eigen::VectorXd x(inputs_);
    for (Eigen::Index j = 0; j < inputs_; ++j) {
      const Column column = rows_.inputs[static_cast<std::size_t>(j)];
      x(j) = column == nullptr ? 1.0 : column[n];
    }
    return x;
  }

  double total_weight() const { return Eigen::Map<const Eigen::VectorXd>(weights_, rows_.count).sum(); }

  void update_residuals(const Eigen::VectorXd& b) {
    residuals_.resize(static_cast<std::size_t>(rows_.count));
    for_blocks(rows_.count, [&](std::int64_t begin, std::int64_t count) {
      double* r = residuals_.data() + begin;
      kernels::linear_combination(block_of(rows_.inputs, begin), b.data(), count, r);
      for (std::int64_t i = 0; i < count; ++i) r[i] = target_[begin + i] - r[i];
    });
  }

  // Independent rows with weight, those of the smallest residuals first.
  bool choose_basis() {
    std::vector<std::int64_t> order;
    for (std::int64_t n = 0; n < rows_.count; ++n) {
      if (weights_[n] > 0.0) order.push_back(n);
    }
    // A few rows nearly always do; the whole order is only looked at when they are dependent.
    std::size_t sorted = 0;
    Eigen::MatrixXd directions(inputs_, inputs_);
    const auto smaller = [&](std::int64_t a, std::int64_t b) {
      const double ra = std::fabs(residuals_[static_cast<std::size_t>(a)]);
      const double rb = std::fabs(residuals_[static_cast<std::size_t>(b)]);
      return ra < rb || (ra == rb && a < b);
    };
    basis_.clear();
    for (std::size_t i = 0; i < order.size() && std::ssize(basis_) < inputs_; ++i) {
      if (i == sorted) {
        sorted = std::min(order.size(), 4 * (sorted + static_cast<std::size_t>(inputs_)));
        std::partial_sort(order.begin() + static_cast<std::ptrdiff_t>(i),
                          order.begin() + static_cast<std::ptrdiff_t>(sorted), order.end(), smaller);
      }
      Eigen::VectorXd x = row(order[i]);
      const double length = x.norm();
      for (Eigen::Index j = 0; j < std::ssize(basis_); ++j) x -= directions.col(j).dot(x) * directions.col(j);
      if (x.norm() <= kIndependent * length) continue;
      directions.col(std::ssize(basis_)) = x.normalized();
      basis_.push_back(order[i]);
    }
    return std::ssize(basis_) == inputs_;
  }

  // Coefficients, residuals and edges of the corner where the basis has residual 0.
  void solve_corner(Eigen::Ref<Eigen::VectorXd> b) {
    Eigen::MatrixXd x(inputs_, inputs_);
    Eigen::VectorXd y(inputs_);
    for (Eigen::Index i = 0; i < inputs_; ++i) {
      x.row(i) = row(basis_[static_cast<std::size_t>(i)]).transpose();
      y(i) = target_[basis_[static_cast<std::size_t>(i)]];
    }
    SquareSolution corner = solve_square(x, y);
    b = corner.solution;
    edges_ = std::move(corner.inverse);
    update_residuals(b);
    const double rounding = kSumRounding * (y.cwiseAbs().maxCoeff() + (x * b).cwiseAbs().maxCoeff());
    for (double& r : residuals_) {
      if (std::fabs(r) <= rounding) r = 0.0;
    }
    for (const std::int64_t n : basis_) residuals_[static_cast<std::size_t>(n)] = 0.0;
  }

  bool in_basis(std::int64_t n) const { return std::find(basis_.begin(), basis_.end(), n) != basis_.end(); }

  // Exchanges one row of the basis along the steepest edge. False at the minimum.
  bool step(double scale) {
    Eigen::VectorXd pull(inputs_);  // sum of weights sign(r) x outside the basis
    sum_blocks(rows_.count, inputs_, pull.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
      std::vector<double> signed_weights(kBlockRows);
      for (std::int64_t i = 0; i < count; ++i) {
        const double w = weights_[begin + i];
        signed_weights[static_cast<std::size_t>(i)] = residuals_[static_cast<std::size_t>(begin + i)] >= 0.0 ? w : -w;
      }
      kernels::weighted_products(block_of(rows_.inputs, begin), signed_weights.data(), block_of({nullptr}, 0), count,
                                 partial);
    });
    for (const std::int64_t n : basis_) pull -= weights_[n] * row(n);  // counted as positive above
    const Eigen::VectorXd slopes = edges_.transpose() * pull;
    Eigen::Index leaving = -1;
    double best = kOptimal * scale;
    for (Eigen::Index j = 0; j < inputs_; ++j) {
      const double gain = std::fabs(slopes(j)) - weights_[basis_[static_cast<std::size_t>(j)]];
      if (gain > best * edges_.col(j).norm()) {
        best = gain / edges_.col(j).norm();
        leaving = j;
      }
    }
    if (leaving < 0) return false;
    const double descent = std::fabs(slopes(leaving)) - weights_[basis_[static_cast<std::size_t>(leaving)]];
    const Eigen::VectorXd direction = std::copysign(1.0, slopes(leaving)) * edges_.col(leaving);
    const std::int64_t entering = line_minimum(direction, -descent);
    if (entering < 0) return false;
    basis_[static_cast<std::size_t>(leaving)] = entering;
    return true;
  }

  // The row whose residual vanishes where the objective stops falling along the direction; -1: none.
  std::int64_t line_minimum(const Eigen::VectorXd& direction, double slope) {
    struct Kink {
      double at;
      double turn;
      std::int64_t row;
      bool operator<(const Kink& other) const {
        return at > other.at || (at == other.at && row > other.row);
      }  // a min-heap
    };
    std::vector<double> rates(static_cast<std::size_t>(rows_.count));
    for_blocks(rows_.count, [&](std::int64_t begin, std::int64_t count) {
      kernels::linear_combination(block_of(rows_.inputs, begin), direction.data(), count, rates.data() + begin);
    });
    std::vector<Kink> kinks;
    for (std::int64_t n = 0; n < rows_.count; ++n) {
      const double rate = rates[static_cast<std::size_t>(n)];
      const double r = residuals_[static_cast<std::size_t>(n)];
      if (weights_[n] > 0.0 && rate != 0.0 && (r >= 0.0) == (rate > 0.0) && !in_basis(n)) {
        kinks.push_back({r / rate, 2.0 * weights_[n] * std::fabs(rate), n});
      }
    }
    std::make_heap(kinks.begin(), kinks.end());
    while (!kinks.empty()) {
      slope += kinks.front().turn;
      if (slope >= 0.0) return kinks.front().row;
      std::pop_heap(kinks.begin(), kinks.end());
      kinks.pop_back();
    }
    return -1;
  }

  const Rows& rows_;
  Column target_;
  const double* weights_;
  Eigen::Index inputs_;
  std::vector<double> residuals_;
  std::vector<std::int64_t> basis_;
  Eigen::MatrixXd edges_;  // column j changes the residual of basis row j alone
};

}  // namespace

bool minimize_absolute_deviations(const Rows& rows, Column target, const double* weights,
                                  Eigen::Ref<Eigen::VectorXd> coefficients) {
  return EdgeDescent(rows, target, weights).run(coefficients);
}

double absolute_deviations(const Rows& rows, Column target, const double* weights,
                           const Eigen::VectorXd& coefficients) {
  double total = 0.0;
  sum_blocks(rows.count, 1, &total, [&](std::int64_t begin, std::int64_t count, double* partial) {
    std::vector<double> fitted(kBlockRows);
    kernels::linear_combination(block_of(rows.inputs, begin), coefficients.data(), count, fitted.data());
    for (std::int64_t i = 0; i < count; ++i) {
      partial[0] += weights[begin + i] * std::fabs(target[begin + i] - fitted[static_cast<std::size_t>(i)]);
    }
  });
  return total;
}

}  // namespace witan::mixtures
