// The EM loop.
#include "mixtures/em.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/interrupt.h"

namespace witan::mixtures {
namespace {

constexpr std::size_t kIterationsBeforeLeaving = 12;
constexpr double kRounding = 1e-10;  // share of 1 + |objective| by which sums of many rows may differ

void maximization_step(Model& model, const Data& data, const Weights& weights) {
  model.experts().fit(data.expert_rows, weights);
  model.gate().fit(data.gate_rows, weights);
}

// Aitken's acceleration: gains that shrink by a constant factor add up to a known limit.
bool has_arrived(const std::vector<double>& history, double tolerance) {
  const std::size_t n = history.size();
  if (n < 3) return false;
  const double gain = history[n - 1] - history[n - 2];
  const double previous = history[n - 2] - history[n - 3];
  const double threshold = tolerance * (1.0 + std::fabs(history.back()));
  if (std::fabs(gain) < 1e-3 * threshold) return true;
  if (previous <= 0.0 || gain <= 0.0) return std::fabs(gain) < threshold;
  const double factor = gain / previous;
  return factor < 1.0 && gain * factor / (1.0 - factor) < threshold && gain < threshold * 10.0;
}

// Whether the climb slows down so much that it will end below `goal`.
bool out_of_reach(const std::vector<double>& history, double goal) {
  const std::size_t n = history.size();
  if (n < kIterationsBeforeLeaving || history[n - 1] >= goal) return false;
  const double gain = history[n - 1] - history[n - 2];
  const double previous = history[n - 2] - history[n - 3];
  const double before = history[n - 3] - history[n - 4];
  if (gain >= previous || previous >= before) return false;
  const double factor = std::max(gain, 0.0) / previous;
  return history[n - 1] + gain * factor / (1.0 - factor) < goal;
}

// Gives every expert below the least mass the rows that the mixture explains worst. False when none was below.
bool rescue_starved(const Model& model, const Data& data, double least_mass, Weights& weights) {
  const Eigen::VectorXd masses = weights.colwise().sum().transpose();
  if (masses.minCoeff() >= least_mass) return false;
  std::vector<double> fit(static_cast<std::size_t>(data.count()));  // log density of each row under the mixture
  for_blocks(data.count(), [&](std::int64_t begin, std::int64_t count) {
    Eigen::MatrixXd joint(kBlockRows, model.num_experts());
    std::vector<double*> columns;
    for (Eigen::Index k = 0; k < joint.cols(); ++k) columns.push_back(joint.col(k).data());
    model.log_joint(data, begin, count, columns);
    const auto posterior = make_router("posterior", 0);
    posterior->route(begin, count, columns, fit.data() + begin);
  });
  std::vector<std::int64_t> worst(fit.size());
  std::iota(worst.begin(), worst.end(), 0);
  const auto share = static_cast<std::size_t>(
      std::max(2.0 * least_mass, static_cast<double>(data.count()) / (4.0 * model.num_experts())));
  std::size_t next = 0;
  for (Eigen::Index k = 0; k < masses.size(); ++k) {
    if (masses(k) >= least_mass) continue;
    const std::size_t end = std::min(worst.size(), next + share);
    std::partial_sort(worst.begin() + static_cast<std::ptrdiff_t>(next),
                      worst.begin() + static_cast<std::ptrdiff_t>(end), worst.end(),
                      [&](std::int64_t a, std::int64_t b) {
                        const double fa = fit[static_cast<std::size_t>(a)];
                        const double fb = fit[static_cast<std::size_t>(b)];
                        return fa < fb || (fa == fb && a < b);
                      });
    for (; next < end; ++next) {
      const std::int64_t row = worst[next];
      const double mass = weights.row(row).sum();
      weights.row(row).setZero();
      weights(row, k) = mass;
    }
  }
  return true;
}

}  // namespace

double expectation_step(const Model& model, const Data& data, const Router& router, Weights& weights) {
  double objective = 0.0;
  sum_blocks(data.count(), 1, &objective, [&](std::int64_t begin, std::int64_t count, double* partial) {
    std::vector<double*> columns;
    for (Eigen::Index k = 0; k < weights.cols(); ++k) columns.push_back(weights.col(k).data() + begin);
    std::vector<double> contributions(kBlockRows);
    model.log_joint(data, begin, count, columns);
    router.route(begin, count, columns, contributions.data());
    if (data.weights == nullptr) {
      partial[0] += std::accumulate(contributions.begin(), contributions.begin() + count, 0.0);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const double case_weight = data.weights[begin + i];
      partial[0] += case_weight * contributions[static_cast<std::size_t>(i)];
      for (double* column : columns) column[i] *= case_weight;
    }
  });
  return objective - model.penalty_value();
}

EmRun run_em(Model& model, const Data& data, Router& router, const EmOptions& options, Weights& weights) {
  EmRun run;
  double best = -std::numeric_limits<double>::infinity();
  Eigen::VectorXd best_parameters = model.parameters();
  maximization_step(model, data, weights);
  for (int iteration = 0; iteration < options.max_iterations; ++iteration) {
    throw_if_interrupted();
    router.begin_iteration(iteration);
    const double objective = expectation_step(model, data, router, weights);
    const bool reseeded = run.rescues > 0 && run.history.empty();
    const double before = run.history.empty() ? -std::numeric_limits<double>::infinity() : run.history.back();
    if (!reseeded && objective < before - kRounding * (1.0 + std::fabs(before))) run.monotone = false;
    run.history.push_back(objective);
    if (options.progress) options.progress(iteration, objective);
    if (objective > best) {
      best = objective;
      best_parameters = model.parameters();
    }
    if (router.monotone() && has_arrived(run.history, options.tolerance)) {
      run.converged = true;
      run.starved = weights.colwise().sum().minCoeff() < options.least_mass;
      break;
    }
    if (router.monotone() && out_of_reach(run.history, options.goal)) {
      run.left_early = true;
      break;
    }
    if (iteration + 1 == options.max_iterations) {
      run.starved = run.rescues == options.max_rescues && weights.colwise().sum().minCoeff() < options.least_mass;
      break;
    }
    if (run.rescues < options.max_rescues && rescue_starved(model, data, options.least_mass, weights)) {
      ++run.rescues;
      run.history.clear();  // a new climb begins
      best = -std::numeric_limits<double>::infinity();
    }
    maximization_step(model, data, weights);
  }
  if (!router.monotone()) {
    model.set_parameters(best_parameters);
    run.history.push_back(best);
    run.converged = true;
  }
  run.note = model.experts().note();
  return run;
}

}  // namespace witan::mixtures
