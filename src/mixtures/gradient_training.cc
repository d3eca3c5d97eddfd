// Adam on batches, then L-BFGS on everything.
#include "mixtures/gradient_training.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numbers>

#include "base/interrupt.h"
#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

constexpr std::size_t kMemory = 12;  // pairs of steps that L-BFGS remembers
constexpr int kMaxHalvings = 40;
constexpr double kSufficient = 1e-4;  // Armijo's share of the promised gain

// Adds objective and gradient of some rows, without the penalty, to sums [1 + parameters].
void add_rows(const Model& model, const Data& data, std::int64_t begin, std::int64_t count, double* sums) {
  Eigen::MatrixXd weights(kBlockRows, model.num_experts());
  std::vector<double*> columns;
  for (Eigen::Index k = 0; k < weights.cols(); ++k) columns.push_back(weights.col(k).data());
  std::vector<double> log_sums(kBlockRows);
  model.log_joint(data, begin, count, columns);
  kernels::column_softmax(columns, count, log_sums.data());
  const Columns cases = block_of({data.weights}, begin);
  for (std::int64_t n = 0; n < count; ++n) {
    sums[0] += cases[0][n] * log_sums[static_cast<std::size_t>(n)];
    for (double* column : columns) column[n] *= cases[0][n];
  }
  const std::vector<const double*> h(columns.begin(), columns.end());
  model.gate().add_gradient(data.gate_rows, begin, count, h, sums + 1);
  model.experts().add_gradient(data.expert_rows, begin, count, h, sums + 1 + model.gate().parameters().size());
}

// The penalty times `share`.
void subtract_penalty(const Model& model, double share, Slope& slope) {
  slope.objective -= share * model.penalty_value();
  slope.gradient -= share * model.penalty_gradient();
}

class Climber {
 public:
  Climber(Model& model, const Data& data, const GradientOptions& options)
      : model_(model),
        data_(data),
        options_(options),
        at_(model.parameters()),
        lower_(model.lower_bounds()),
        upper_(model.upper_bounds()) {}

  GradientRun run() {
    if (options_.epochs > 0) adam();
    lbfgs();
    return std::move(run_);
  }

 private:
  Eigen::VectorXd within(const Eigen::VectorXd& at) const { return at.cwiseMax(lower_).cwiseMin(upper_); }

  Slope evaluate(const Eigen::VectorXd& at) {
    model_.set_parameters(at);
    Slope here = slope(model_, data_);
    for (Eigen::Index i = 0; i < at.size(); ++i) {
      const bool held =
          (at(i) >= upper_(i) && here.gradient(i) > 0.0) || (at(i) <= lower_(i) && here.gradient(i) < 0.0);
      if (held) here.gradient(i) = 0.0;
    }
    return here;
  }

  void adam() {
    const std::int64_t rows = data_.count();
    const std::int64_t batch = std::min(options_.batch_rows, rows);
    const std::int64_t batches = (rows + batch - 1) / batch;
    const auto steps = static_cast<double>(options_.epochs * batches);
    Eigen::VectorXd first = Eigen::VectorXd::Zero(at_.size());
    Eigen::VectorXd second = first;
    double step = 0.0;
    for (std::int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
      double objective = 0.0;
      const bool balanced = options_.balance_margin > 0.0 && 2 * epoch < options_.epochs;
      if (!balanced) model_.experts().lift_balance();
      for (std::int64_t b = 0; b < batches; ++b) {
        throw_if_interrupted();
        model_.set_parameters(at_);
        const std::int64_t from = b * rows / batches;
        const std::int64_t to = (b + 1) * rows / batches;
        Eigen::VectorXd sums = Eigen::VectorXd::Zero(1 + at_.size());
        for (std::int64_t begin = from; begin < to; begin += kBlockRows)
          add_rows(model_, data_, begin, std::min(kBlockRows, to - begin), sums.data());
        Slope here{sums(0), sums.tail(at_.size())};
        subtract_penalty(model_, static_cast<double>(to - from) / static_cast<double>(rows), here);
        objective += here.objective;
        here.gradient /= static_cast<double>(to - from);
        step += 1.0;
        first = 0.9 * first + 0.1 * here.gradient;
        second = 0.999 * second + 0.001 * here.gradient.cwiseAbs2();
        const double rate = options_.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * step / steps)) *
                            std::sqrt(1.0 - std::pow(0.999, step)) / (1.0 - std::pow(0.9, step));
        at_ = within(at_.array() + rate * first.array() / (second.array().sqrt() + 1e-8));
        if (!balanced) continue;
        model_.experts().balance(data_.expert_rows, from, to - from, options_.balance_margin);
      }
      run_.history.push_back(objective);
    }
    model_.experts().lift_balance();
  }

  void lbfgs() {
    struct Pair {
      Eigen::VectorXd step;
      Eigen::VectorXd change;  // of the gradient of what is minimised: minus the objective
    };
    std::deque<Pair> pairs;
    Slope here = evaluate(at_);
    run_.history.push_back(here.objective);
    for (int iteration = 0; iteration < options_.max_iterations; ++iteration) {
      throw_if_interrupted();
      Eigen::VectorXd direction = here.gradient;
      std::vector<double> along(pairs.size());
      for (std::size_t i = pairs.size(); i-- > 0;) {
        along[i] = pairs[i].step.dot(direction) / pairs[i].step.dot(pairs[i].change);
        direction -= along[i] * pairs[i].change;
      }
      if (pairs.empty()) {
        direction /= std::max(1.0, direction.norm());
      } else {
        direction *= pairs.back().step.dot(pairs.back().change) / pairs.back().change.squaredNorm();
      }
      for (std::size_t i = 0; i < pairs.size(); ++i)
        direction += (along[i] - pairs[i].change.dot(direction) / pairs[i].step.dot(pairs[i].change)) * pairs[i].step;

      double length = 1.0;
      Eigen::VectorXd there;
      Slope reached;
      bool climbed = false;
      for (int halving = 0; halving < kMaxHalvings && !climbed; ++halving, length *= 0.5) {
        there = within(at_ + length * direction);
        reached = evaluate(there);
        climbed = reached.objective >= here.objective + kSufficient * here.gradient.dot(there - at_) &&
                  reached.objective > here.objective;
      }
      if (!climbed) {
        run_.converged = pairs.empty();  // not even along the gradient: rounding is all that is left
        if (pairs.empty()) break;
        pairs.clear();
        continue;
      }
      const double gain = reached.objective - here.objective;
      Pair pair{there - at_, here.gradient - reached.gradient};
      if (pair.step.dot(pair.change) > 1e-12 * pair.change.squaredNorm()) pairs.push_back(std::move(pair));
      if (pairs.size() > kMemory) pairs.pop_front();
      at_ = there;
      here = std::move(reached);
      run_.history.push_back(here.objective);
      if (gain < 1e-2 * options_.tolerance * (1.0 + std::fabs(here.objective))) {
        run_.converged = true;
        break;
      }
    }
    model_.set_parameters(at_);
    run_.gradient_norm = here.gradient.cwiseAbs().maxCoeff();
  }

  Model& model_;
  const Data& data_;
  const GradientOptions& options_;
  Eigen::VectorXd at_;
  Eigen::VectorXd lower_;
  Eigen::VectorXd upper_;
  GradientRun run_;
};

}  // namespace

Slope slope(const Model& model, const Data& data) {
  const Eigen::Index size = model.parameters().size();
  Eigen::VectorXd sums(1 + size);
  sum_blocks(data.count(), sums.size(), sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
    add_rows(model, data, begin, count, partial);
  });
  Slope result{sums(0), sums.tail(size)};
  subtract_penalty(model, 1.0, result);
  return result;
}

GradientRun train_by_gradient(Model& model, const Data& data, const GradientOptions& options) {
  return Climber(model, data, options).run();
}

}  // namespace witan::mixtures
