// Newton's method with the eigenvalues of the Hessian made negative, an active set for bounds and backtracking.
#include "mixtures/polish.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/interrupt.h"
#include "mixtures/derivatives.h"
#include "mixtures/linear_algebra.h"

namespace witan::mixtures {
namespace {

constexpr int kPolishHalvings = 30;
constexpr int kDoublings = 6;
constexpr double kMaxMove = 4.0;  // of one standardised parameter, where doubling that does not lead on
constexpr double kFlat = 1e-12;   // curvature below this share of the largest is none
// Gains, as shares of 1 + |objective|: of what rounding leaves of a sum over rows, and of what tells maxima apart.
constexpr double kPolishRounding = 1e-14;
constexpr double kClose = 1e-9;
// In nats: what a step may promise, with positive curvature, where the gain is no more than so many times that.
constexpr double kNearMaximum = 1.0;
constexpr double kGainOfPromise = 5.0;

class Objective {
 public:
  Objective(Model& model, const RowSource& rows) : model_(model), rows_(rows) {
    const Part& gate = model.gate();
    const Part& experts = model.experts();
    const Eigen::Index of_gate = gate.parameters().size();
    const Eigen::Index size = of_gate + experts.parameters().size();
    lower_ = model.lower_bounds();
    upper_ = model.upper_bounds();
    penalty_ = Eigen::MatrixXd::Zero(size, size);
    if (gate.penalty().size() != 0) penalty_.topLeftCorner(of_gate, of_gate) = gate.penalty();
    if (experts.penalty().size() != 0) {
      penalty_.bottomRightCorner(size - of_gate, size - of_gate) = experts.penalty();
    }
  }

  double value(const Eigen::VectorXd& at) {
    model_.set_parameters(at);
    double sum = 0.0;
    rows_.each([&](const Data& data) { sum += log_likelihood(model_, data); });
    return sum - 0.5 * at.dot(penalty_ * at);
  }
  void differentiate(const Eigen::VectorXd& at) {
    model_.set_parameters(at);
    Derivatives d;
    d.gradient = Eigen::VectorXd::Zero(at.size());
    d.hessian = Eigen::MatrixXd::Zero(at.size(), at.size());
    rows_.each([&](const Data& data) {
      const Derivatives piece = observed_derivatives(model_, data, true);
      d.log_likelihood += piece.log_likelihood;
      d.gradient += piece.gradient;
      d.hessian += piece.hessian;
    });
    objective = d.log_likelihood - 0.5 * at.dot(penalty_ * at);
    gradient = d.gradient - penalty_ * at;
    information = penalty_ - d.hessian;
    // A parameter at a bound that it would pass is held there.
    held.setConstant(at.size(), false);
    for (Eigen::Index i = 0; i < at.size(); ++i) {
      held(i) = (at(i) >= upper_(i) && gradient(i) > 0.0) || (at(i) <= lower_(i) && gradient(i) < 0.0);
      if (!held(i)) continue;
      gradient(i) = 0.0;
      information.row(i).setZero();
      information.col(i).setZero();
    }
  }
  Eigen::VectorXd within_bounds(const Eigen::VectorXd& at) const { return at.cwiseMax(lower_).cwiseMin(upper_); }

  double objective = 0.0;
  Eigen::VectorXd gradient;
  Eigen::MatrixXd information;  // negative Hessian
  Eigen::Array<bool, Eigen::Dynamic, 1> held;

 private:
  Model& model_;
  const RowSource& rows_;
  Eigen::VectorXd lower_;
  Eigen::VectorXd upper_;
  Eigen::MatrixXd penalty_;
};

// Eigenvalues of the information over the parameters that are not held.
struct Curvature {
  Curvature() = default;
  explicit Curvature(const Objective& objective) {
    for (Eigen::Index i = 0; i < objective.held.size(); ++i) {
      if (!objective.held(i)) free.push_back(i);
    }
    eigen = symmetric_eigen(objective.information(free, free));
  }
  double smallest() const { return eigen.values.size() == 0 ? 0.0 : eigen.values.minCoeff(); }
  double largest() const { return eigen.values.size() == 0 ? 0.0 : eigen.values.cwiseAbs().maxCoeff(); }
  // Uphill whatever the signs: |eigenvalues|, none below what rounding leaves of the largest.
  Eigen::VectorXd step(const Eigen::VectorXd& gradient) const {
    const Eigen::VectorXd along = eigen.vectors.transpose() * gradient(free);
    const Eigen::VectorXd sizes = eigen.values.cwiseAbs().cwiseMax(kFlat * largest());
    return scatter(gradient.size(), eigen.vectors * along.cwiseQuotient(sizes));
  }
  Eigen::VectorXd rising_direction(Eigen::Index size) const { return scatter(size, eigen.vectors.col(0)); }
  Eigen::MatrixXd inverse(Eigen::Index size) const {
    const Eigen::MatrixXd& vectors = eigen.vectors;
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(size, size);
    result(free, free) = vectors * eigen.values.cwiseInverse().asDiagonal() * vectors.transpose();
    return result;
  }
  std::vector<Eigen::Index> free;
  SymmetricEigen eigen;

 private:
  Eigen::VectorXd scatter(Eigen::Index size, const Eigen::VectorXd& values) const {
    Eigen::VectorXd result = Eigen::VectorXd::Zero(size);
    result(free) = values;
    return result;
  }
};

// Moves `at` along the step, halved until the objective rises. False when it does not. A step that had to be cut short
// is doubled as long as that rises further: coefficients of experts and gates that are steps run away.
bool climb(Objective& objective, Eigen::VectorXd step, Eigen::VectorXd& at) {
  const double largest = step.cwiseAbs().maxCoeff();
  const bool cut = largest > kMaxMove;
  if (cut) step *= kMaxMove / largest;
  for (int halving = 0; halving < kPolishHalvings; ++halving, step *= 0.5) {
    const Eigen::VectorXd candidate = objective.within_bounds(at + step);
    double value = objective.value(candidate);
    if (!(value > objective.objective)) continue;
    Eigen::VectorXd best = candidate;
    for (int doubling = 0; cut && halving == 0 && doubling < kDoublings; ++doubling) {
      step *= 2.0;
      const Eigen::VectorXd further = objective.within_bounds(at + step);
      const double there = objective.value(further);
      if (!(there > value)) break;
      value = there;
      best = further;
    }
    at = best;
    return true;
  }
  return false;
}

// Where Newton's method stands.
struct Newton {
  Newton(Model& model, const RowSource& rows) : at(model.parameters()), objective(model, rows) {
    WITAN_ASSERT(at.size() <= kMaxPolishedParameters);
    differentiate();
  }
  void differentiate() {
    objective.differentiate(at);
    curvature = Curvature(objective);
  }
  Eigen::VectorXd step() const { return curvature.step(objective.gradient); }

  // Until a step promises less than this share of 1 + |objective|, and none leads off a saddle: kArrived. kBelowGoal
  // when it nears a maximum below the goal, kStuck when steps ran out or rounding hides what is left to gain.
  enum class End { kArrived, kBelowGoal, kStuck };
  End climb_to_maximum(int max_steps, double share, double goal = -std::numeric_limits<double>::infinity()) {
    for (; steps < max_steps; ++steps) {
      throw_if_interrupted();
      const Eigen::VectorXd next = step();
      const double promise = 0.5 * next.dot(objective.gradient);
      if (promise < share * (1.0 + std::fabs(objective.objective))) {
        const bool saddle = curvature.smallest() < -1e-8 * std::max(1.0, curvature.largest());
        if (!saddle || !climb_off_saddle()) return End::kArrived;
      } else if (promise < kNearMaximum && objective.objective + kGainOfPromise * promise < goal &&
                 curvature.smallest() > 0.0) {
        return End::kBelowGoal;
      } else if (!climb(objective, next, at)) {
        return End::kStuck;
      }
      differentiate();
    }
    return End::kStuck;
  }

  bool climb_off_saddle() {
    const Eigen::VectorXd rising = curvature.rising_direction(at.size());
    return climb(objective, rising, at) || climb(objective, -rising, at);
  }

  Eigen::VectorXd at;
  Objective objective;
  Curvature curvature;
  int steps = 0;
};

}  // namespace

NewtonRun climb_by_newton(Model& model, const RowSource& rows, int max_steps, double goal) {
  Newton newton(model, rows);
  const Newton::End end = newton.climb_to_maximum(max_steps, kClose, goal);
  NewtonRun run;
  run.converged = end == Newton::End::kArrived;
  run.left_early = end == Newton::End::kBelowGoal;
  run.steps = newton.steps;
  run.objective = newton.objective.objective;
  model.set_parameters(newton.at);
  return run;
}

Certificate polish(Model& model, const RowSource& rows, int max_steps) {
  Certificate certificate;
  Newton newton(model, rows);
  Objective& objective = newton.objective;
  // Below rounding of the sum of all rows, nothing is left to gain; one more full step takes the gradient to rounding.
  if (newton.climb_to_maximum(max_steps, kPolishRounding) == Newton::End::kArrived) {
    const double norm = objective.gradient.cwiseAbs().maxCoeff();
    const Eigen::VectorXd before = newton.at;
    newton.at = objective.within_bounds(newton.at + newton.step());
    newton.differentiate();
    if (!(objective.gradient.cwiseAbs().maxCoeff() < norm)) {
      newton.at = before;
      newton.differentiate();
    }
  }
  certificate.newton_steps = newton.steps;
  const Eigen::VectorXd& at = newton.at;
  const Curvature& curvature = newton.curvature;
  model.set_parameters(at);
  certificate.gradient_norm = objective.gradient.size() == 0 ? 0.0 : objective.gradient.cwiseAbs().maxCoeff();
  certificate.smallest_eigenvalue = curvature.smallest();
  certificate.has_hessian = true;
  const bool definite = curvature.smallest() > 1e-12 * curvature.largest() && curvature.smallest() > 0.0;
  const bool flat = certificate.gradient_norm <= 1e-5 * std::max(1.0, rows.total_weight() * 1e-3);
  certificate.maximum = definite && flat;
  if (definite) certificate.covariance = curvature.inverse(at.size());
  if (!definite) {
    certificate.reason = fmt::format("the observed information is not positive definite (smallest eigenvalue {:.3g})",
                                     curvature.smallest());
  } else if (!flat) {
    certificate.reason = fmt::format("the gradient did not vanish (largest entry {:.3g})", certificate.gradient_norm);
  }
  return certificate;
}

}  // namespace witan::mixtures
