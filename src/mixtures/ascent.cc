// Runs of EM or of gradient training, and Newton's method at their end.
#include "mixtures/ascent.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "mixtures/families.h"
#include "mixtures/gradient_training.h"
#include "mixtures/moves.h"
#include "mixtures/start.h"

namespace witan::mixtures {
namespace {

constexpr int kFirstIterations = 25;  // then Newton's method follows on small tables; else only what may lead higher
constexpr int kHastySteps = 40;
constexpr double kHastyWork = 3e6;  // rows times parameters squared
constexpr double kMoveTolerance = 1e-7;
constexpr double kPromising = 3.0;    // nats below a maximum, from where a move may still pass it
constexpr double kBack = 0.05;        // nats from the maximum it began at, where a move has led back to it
constexpr int kEmBeforeNewton = 120;  // iterations after which Newton's method is the faster one
constexpr double kToleranceBeforeNewton = 1e-7;
constexpr int kFinalNewtonSteps = 100;
constexpr double kSameMaximum = 1e-7;  // runs this close (relative) are at the same maximum
constexpr int kShakeIterations = 60;
constexpr int kShakes = 30;  // of a maximum with kinks, among many others nearby
const char* const kLeftEarly = "left early: it could not come near the best";

void add_note(const std::string& text, std::string& note) {
  if (!note.empty()) note += "; ";
  note += text;
}

}  // namespace

bool is_network(const Model& model) { return !model.gate().linear() || !model.experts().linear(); }

bool same_maximum(double a, double b) { return std::fabs(a - b) < kSameMaximum * (1.0 + std::fabs(a)); }

bool ranks_before(const Candidate& a, const Candidate& b) {
  if (a.sound() != b.sound()) return a.sound();
  return a.objective() > b.objective();
}

Ascent::Ascent(const FitOptions& options, const Frame& frame)
    : options_(options),
      model_(make_model(frame, options)),
      router_(make_router(options.router, static_cast<std::uint64_t>(options.seed))),
      least_records_(least_records(*model_, frame)) {}

Candidate Ascent::start(const Prepared& prepared, int number, int max_iterations, double tolerance, double goal) {
  Candidate candidate;
  candidate.restart.number = number;
  candidate.restart.start = start_of_run(options_.start, number);
  const auto seed = static_cast<std::uint64_t>(options_.seed);
  Weights weights = starting_weights(candidate.restart.start, prepared.data(), prepared.frame().target_kind,
                                     model_->num_experts(), seed, number);
  model_->set_parameters(model_->initial_parameters());
  if (options_.training == "em") {
    if (hastens(prepared)) {
      climb(candidate, prepared, weights, std::min(max_iterations, kFirstIterations), tolerance);
      hasten(candidate, prepared, goal);
    } else {
      climb(candidate, prepared, weights, max_iterations, tolerance, goal);
    }
    return candidate;
  }
  // Networks begin anywhere, linear parts with one M-step.
  Random random(seed, 0x6e65ULL + static_cast<std::uint64_t>(number));
  if (is_network(*model_)) candidate.restart.start = "random";
  if (!model_->experts().linear()) model_->experts().initialize(random);
  if (!model_->gate().linear()) model_->gate().initialize(random);
  if (model_->experts().linear()) model_->experts().fit(prepared.data().expert_rows, weights);
  if (model_->gate().linear()) model_->gate().fit(prepared.data().gate_rows, weights);
  model_->set_parameters(model_->parameters());
  follow_gradient(candidate, prepared, max_iterations, tolerance, is_network(*model_) ? options_.epochs : 0);
  return candidate;
}

void Ascent::finish(Candidate& candidate, const Prepared& prepared) {
  model_->set_parameters(candidate.parameters);
  const std::string no_polish = no_polish_reason(*model_, options_);
  const bool newton = no_polish.empty();
  const auto iterations = static_cast<int>(
      std::min<std::int64_t>(options_.max_iterations, newton ? kEmBeforeNewton : std::numeric_limits<int>::max()));
  const double tolerance = newton ? std::max(kToleranceBeforeNewton, options_.tolerance) : options_.tolerance;
  if (options_.training == "em") {
    Weights weights = weights_at(candidate, prepared);
    candidate.history.clear();
    climb(candidate, prepared, weights, iterations, tolerance);
  } else {
    follow_gradient(candidate, prepared, iterations, tolerance, 0);
  }
  candidate.restart.finished = true;
  if (!model_->experts().smooth() && router_->monotone() && candidate.sound() && options_.training == "em")
    shake(candidate, prepared);
  if (!newton) {
    candidate.certificate.reason = no_polish;
    if (is_network(*model_))
      candidate.certificate.reason += fmt::format("; largest entry of the gradient {:.2g}", candidate.gradient_norm);
    return;
  }
  if (!candidate.sound()) {
    candidate.certificate.reason = candidate.reason;
    return;
  }
  candidate.certificate = polish(*model_, RowsInMemory(prepared.data()), kFinalNewtonSteps);
  candidate.parameters = model_->parameters();
  candidate.restart.objective = log_likelihood(*model_, prepared.data()) - model_->penalty_value();
  candidate.restart.iterations += candidate.certificate.newton_steps;
  candidate.history.push_back(candidate.restart.objective);
  candidate.converged = candidate.converged || candidate.certificate.maximum;
  judge(candidate);
}

Candidate Ascent::leave(const Candidate& maximum, const Prepared& prepared, const Eigen::MatrixXd& points, int number) {
  Random random(static_cast<std::uint64_t>(options_.seed), 0x6d76ULL + static_cast<std::uint64_t>(number));
  Weights weights = moved(weights_at(maximum, prepared), points, !options_.tree.empty(), random);
  Candidate there;
  there.restart.start = "moved";
  const bool haste = hastens(prepared);
  climb(there, prepared, weights, kFirstIterations, kMoveTolerance,
        haste ? -std::numeric_limits<double>::infinity() : maximum.objective() - kPromising);
  if (std::fabs(there.objective() - maximum.objective()) < kBack) return there;
  if (haste) {
    hasten(there, prepared, maximum.objective());
  } else if (there.sound() && !there.left_early && !there.converged) {
    climb(there, prepared, weights, kEmBeforeNewton, kToleranceBeforeNewton, maximum.objective());
  }
  return there;
}

double Ascent::objective_on(const Candidate& candidate, const Prepared& prepared) {
  Weights weights(prepared.data().count(), model_->num_experts());
  model_->set_parameters(candidate.parameters);
  return expectation_step(*model_, prepared.data(), *router_, weights);
}

std::unique_ptr<Model> Ascent::release(const Eigen::VectorXd& parameters) {
  model_->set_parameters(parameters);
  return std::move(model_);
}

Weights Ascent::weights_at(const Candidate& candidate, const Prepared& prepared) {
  Weights weights(prepared.data().count(), model_->num_experts());
  model_->set_parameters(candidate.parameters);
  expectation_step(*model_, prepared.data(), *router_, weights);
  return weights;
}

void Ascent::follow_gradient(Candidate& candidate, const Prepared& prepared, int iterations, double tolerance,
                             std::int64_t epochs) {
  GradientOptions gradient;
  gradient.epochs = epochs;
  gradient.batch_rows = options_.batch_rows;
  gradient.learning_rate = options_.learning_rate;
  gradient.balance_margin = options_.balance_margin;
  gradient.max_iterations = iterations;
  gradient.tolerance = tolerance;
  // Batches are neighbouring rows, and tables are often sorted.
  const Prepared mixed = epochs > 0 ? prepared.shuffled(static_cast<std::uint64_t>(options_.seed)) : Prepared();
  const GradientRun run = train_by_gradient(*model_, epochs > 0 ? mixed.data() : prepared.data(), gradient);
  candidate.parameters = model_->parameters();
  candidate.restart.objective = run.history.back();
  candidate.restart.iterations += static_cast<int>(run.history.size());
  candidate.history.insert(candidate.history.end(), run.history.begin(), run.history.end());
  candidate.converged = run.converged;
  candidate.monotone = std::is_sorted(candidate.history.begin(), candidate.history.end());
  candidate.gradient_norm = run.gradient_norm;
  judge(candidate);
}

void Ascent::climb(Candidate& candidate, const Prepared& prepared, Weights& weights, int max_iterations,
                   double tolerance, double goal) {
  EmOptions em;
  em.max_iterations = max_iterations;
  em.tolerance = tolerance;
  em.goal = goal;
  em.least_mass = least_mass(prepared);
  const EmRun run = run_em(*model_, prepared.data(), *router_, em, weights);
  candidate.parameters = model_->parameters();
  candidate.restart.objective = run.objective();
  candidate.restart.iterations += static_cast<int>(run.history.size());
  std::string& note = candidate.restart.note;
  note = run.note;
  if (run.rescues > 0)
    add_note(fmt::format("{} times an expert was re-seeded from the worst-fitted rows", run.rescues), note);
  if (run.left_early) add_note(kLeftEarly, note);
  candidate.history.insert(candidate.history.end(), run.history.begin(), run.history.end());
  candidate.converged = run.converged;
  candidate.left_early = run.left_early;
  candidate.monotone = candidate.monotone && run.monotone;
  candidate.starved = run.starved;
  judge(candidate);
}

double Ascent::least_mass(const Prepared& prepared) const {
  return least_records_ * prepared.total_weight() / static_cast<double>(prepared.data().count());
}

bool Ascent::hastens(const Prepared& prepared) const {
  const auto parameters = static_cast<double>(num_parameters());
  const std::int64_t rows = prepared.data().count();
  // With Gaussian gates EM seldom rests, and their Hessians take long.
  return options_.training == "em" && options_.router == "posterior" && model_->num_experts() > 1 && rows <= kFewRows &&
         !model_->gate().joint() && static_cast<double>(rows) * parameters * parameters <= kHastyWork &&
         no_polish_reason(*model_, options_).empty();
}

void Ascent::hasten(Candidate& candidate, const Prepared& prepared, double goal) {
  if (!candidate.sound()) return;
  const NewtonRun run = climb_by_newton(*model_, RowsInMemory(prepared.data()), kHastySteps, goal);
  candidate.parameters = model_->parameters();
  candidate.restart.objective = run.objective;
  candidate.restart.iterations += run.steps;
  candidate.history.push_back(run.objective);
  candidate.converged = run.converged;
  candidate.left_early = run.left_early;
  if (run.left_early) add_note(kLeftEarly, candidate.restart.note);
  candidate.starved = weights_at(candidate, prepared).colwise().sum().minCoeff() < least_mass(prepared);
  judge(candidate);
}

// Densities with kinks have a maximum near every few rows. From case weights that are moved a little, EM arrives at
// others nearby; the highest is kept.
void Ascent::shake(Candidate& candidate, const Prepared& prepared) {
  Weights here = weights_at(candidate, prepared);
  for (int shake = 0; shake < kShakes; ++shake) {
    Random random(static_cast<std::uint64_t>(options_.seed), 0x5a4eULL + static_cast<std::uint64_t>(shake));
    const double size = std::pow(0.5, shake % 5);
    model_->set_parameters(candidate.parameters);
    Weights weights = here;
    for (Eigen::Index n = 0; n < weights.rows(); ++n) {
      weights.row(n) *= std::pow(-std::log(random.uniform_open()), size);  // Rubin's Bayesian bootstrap at size 1
    }
    Candidate moved = candidate;
    climb(moved, prepared, weights, kShakeIterations, options_.tolerance);
    if (!moved.sound() || moved.restart.objective <= candidate.restart.objective) continue;
    candidate.parameters = moved.parameters;
    candidate.restart.objective = moved.restart.objective;
    candidate.restart.iterations = moved.restart.iterations;
    candidate.history.push_back(moved.restart.objective);
    here = weights_at(candidate, prepared);
  }
  model_->set_parameters(candidate.parameters);
}

void Ascent::judge(Candidate& candidate) const {
  candidate.reason = degenerate_reason(*model_);
  if (candidate.reason.empty() && candidate.starved) candidate.reason = starved_reason(least_records_);
  candidate.restart.degenerate = !candidate.reason.empty();
}

}  // namespace witan::mixtures
