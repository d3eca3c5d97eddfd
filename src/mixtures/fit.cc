// Short runs from many starts, long runs of the best, Newton at the end.
#include "mixtures/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/families.h"
#include "mixtures/gaussian_gate.h"
#include "mixtures/gradient_training.h"
#include "mixtures/moves.h"
#include "mixtures/network_model.h"
#include "mixtures/softmax_gate.h"
#include "mixtures/start.h"

namespace witan::mixtures {
namespace {

constexpr std::int64_t kSubsampleAbove = 60'000;  // rows: beyond, several starts are compared on a part of them
constexpr std::int64_t kSubsampleRows = 20'000;
constexpr int kShortIterations = 60;
constexpr double kShortTolerance = 1e-7;
constexpr int kFinalists = 6;         // different maxima
constexpr int kFinishedAtMost = 15;   // runs: those that were not at a maximum yet may arrive at the same one
constexpr int kFinalistsOfMany = 2;   // of more rows than kSubsampleAbove
constexpr int kEmBeforeNewton = 120;  // iterations after which Newton's method is the faster one
constexpr double kToleranceBeforeNewton = 1e-7;
constexpr int kFinalNewtonSteps = 100;
constexpr double kSameMaximum = 1e-7;     // runs this close (relative) are at the same maximum
constexpr std::int64_t kFewRows = 5'000;  // up to which finishing a run costs next to nothing
constexpr int kNetworkStarts = 5;
constexpr double kPromising = 3.0;  // nats below the best maximum at the end of a short run
constexpr int kShakes = 30;         // of a maximum with kinks, among many others nearby

// Starts are cheap on few rows, and with more experts fewer of them lead to the highest maximum.
int restarts_for(std::int64_t rows, const FitOptions& options) {
  if (has_networks(options)) return kNetworkStarts;
  if (options.experts == 1) return 1;
  const bool few = options.experts == 2;
  if (rows > 20'000) return 15;
  if (rows > 2'000) return few ? 25 : 40;
  // Families without a closed M-step take several times as long.
  const int most = options.family == "gaussian" ? 120'000 : 30'000;
  return few ? 60 : std::clamp(static_cast<int>(most / (rows + 1)), 60, 150);
}

// After that many starts, so many moves away from the best maximum: with many experts, most starts end at a maximum
// where all but one or two of them stand right.
int moves_for(std::int64_t rows, const FitOptions& options) {
  if (options.restarts > 0 || options.experts == 1 || options.training != "em" || options.router == "stochastic" ||
      rows > 20'000) {
    return 0;
  }
  return options.experts == 2 ? 10 : (rows > 2'000 ? 20 : restarts_for(rows, options));
}

bool same_maximum(double a, double b) { return std::fabs(a - b) < kSameMaximum * (1.0 + std::fabs(a)); }

// A run in progress: where it stands, and how it got there.
struct Candidate {
  Restart restart;
  Eigen::VectorXd parameters;
  std::vector<double> history;
  bool converged = false;
  bool monotone = true;
  bool starved = false;
  double gradient_norm = -1.0;  // of gradient training
  std::string reason;           // of degeneracy
  Certificate certificate;

  bool sound() const { return !restart.degenerate; }
};

bool is_network(const Model& model) { return !model.gate().linear() || !model.experts().linear(); }

// Degenerate runs come last, whatever their likelihood.
bool ranks_before(const Candidate& a, const Candidate& b) {
  if (a.sound() != b.sound()) return a.sound();
  return a.restart.objective > b.restart.objective;
}

class Runs {
 public:
  Runs(const FitOptions& options, const Frame& frame)
      : options_(options),
        model_(make_model(frame, options)),
        router_(make_router(options.router, static_cast<std::uint64_t>(options.seed))),
        least_records_(least_records(*model_, frame)) {}

  bool is_network() const { return mixtures::is_network(*model_); }
  bool smooth() const { return model_->experts().smooth(); }

  Candidate start(const Prepared& prepared, int number, int max_iterations, double tolerance) {
    Candidate candidate;
    candidate.restart.number = number;
    candidate.restart.start = start_of_run(options_.start, number);
    const auto seed = static_cast<std::uint64_t>(options_.seed);
    Weights weights = starting_weights(candidate.restart.start, prepared.data(), prepared.frame().target_kind,
                                       model_->num_experts(), seed, number);
    model_->set_parameters(model_->initial_parameters());
    if (options_.training == "em") {
      climb(candidate, prepared, weights, max_iterations, tolerance);
      return candidate;
    }
    // Networks begin anywhere, linear parts with one M-step.
    Random random(seed, 0x6e65ULL + static_cast<std::uint64_t>(number));
    if (is_network()) candidate.restart.start = "random";
    if (!model_->experts().linear()) model_->experts().initialize(random);
    if (!model_->gate().linear()) model_->gate().initialize(random);
    if (model_->experts().linear()) model_->experts().fit(prepared.data().expert_rows, weights);
    if (model_->gate().linear()) model_->gate().fit(prepared.data().gate_rows, weights);
    model_->set_parameters(model_->parameters());
    follow_gradient(candidate, prepared, max_iterations, tolerance, is_network() ? options_.epochs : 0);
    return candidate;
  }

  // On from the candidate's parameters, to a maximum.
  void finish(Candidate& candidate, const Prepared& prepared) {
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
      if (is_network())
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

  // Whether one of `tries` moves away from this maximum leads to a higher one, to which `candidate` then goes; and so
  // on from there until no move is left.
  void search(Candidate& candidate, const Prepared& prepared, int tries, const std::function<void(int)>& report) {
    const Eigen::MatrixXd points = start_points(prepared.data(), prepared.frame().target_kind);
    Weights here = weights_at(candidate, prepared);
    for (int move = 0; move < tries; ++move) {
      report(move);
      Random random(static_cast<std::uint64_t>(options_.seed), 0x6d76ULL + static_cast<std::uint64_t>(move));
      model_->set_parameters(candidate.parameters);
      Weights weights = moved(here, points, !options_.tree.empty(), random);
      Candidate there;
      there.restart.number = candidate.restart.number;
      there.restart.start = "moved";
      climb(there, prepared, weights, kShortIterations, kShortTolerance);
      const auto gain = [&] { return there.restart.objective - candidate.restart.objective; };
      if (!there.sound() || gain() < -kPromising || same_maximum(there.restart.objective, candidate.restart.objective))
        continue;
      if (gain() < 0.0) {  // may not have arrived yet
        expectation_step(*model_, prepared.data(), *router_, weights);
        climb(there, prepared, weights, kEmBeforeNewton, kToleranceBeforeNewton);
      }
      if (!there.sound() || gain() < kSameMaximum * (1.0 + std::fabs(candidate.restart.objective))) continue;
      finish(there, prepared);
      if (!there.sound() || !(gain() > 0.0)) continue;
      candidate = std::move(there);
      here = weights_at(candidate, prepared);
    }
  }

  // Ranks runs on a part of the rows by what their parameters are worth on all of them: those of the first few maxima,
  // since a part may prefer another maximum than the whole.
  void compare_on(const Prepared& prepared, std::vector<Candidate>& ranked) {
    Weights weights(prepared.data().count(), model_->num_experts());
    std::vector<Candidate> compared;
    double last = std::numeric_limits<double>::quiet_NaN();
    for (Candidate& candidate : ranked) {
      if (std::ssize(compared) == kFinalists || !candidate.sound()) break;
      if (same_maximum(candidate.restart.objective, last)) continue;
      last = candidate.restart.objective;
      compared.push_back(candidate);
      model_->set_parameters(candidate.parameters);
      compared.back().restart.objective = expectation_step(*model_, prepared.data(), *router_, weights);
      candidate.restart.number = -1;  // moves to the front
    }
    std::stable_sort(compared.begin(), compared.end(), ranks_before);
    std::erase_if(ranked, [](const Candidate& candidate) { return candidate.restart.number < 0; });
    ranked.insert(ranked.begin(), compared.begin(), compared.end());
  }

  std::unique_ptr<Model> release(const Eigen::VectorXd& parameters) {
    model_->set_parameters(parameters);
    return std::move(model_);
  }

 private:
  // Case weights times responsibilities at the candidate's parameters, where the model is left.
  Weights weights_at(const Candidate& candidate, const Prepared& prepared) {
    Weights weights(prepared.data().count(), model_->num_experts());
    model_->set_parameters(candidate.parameters);
    expectation_step(*model_, prepared.data(), *router_, weights);
    return weights;
  }

  void follow_gradient(Candidate& candidate, const Prepared& prepared, int iterations, double tolerance,
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

  void climb(Candidate& candidate, const Prepared& prepared, Weights& weights, int max_iterations, double tolerance) {
    EmOptions em;
    em.max_iterations = max_iterations;
    em.tolerance = tolerance;
    em.least_mass = least_records_ * prepared.total_weight() / static_cast<double>(prepared.data().count());
    const EmRun run = run_em(*model_, prepared.data(), *router_, em, weights);
    candidate.parameters = model_->parameters();
    candidate.restart.objective = run.objective();
    candidate.restart.iterations += static_cast<int>(run.history.size());
    candidate.restart.note = run.note;
    if (run.rescues > 0) {
      if (!candidate.restart.note.empty()) candidate.restart.note += "; ";
      candidate.restart.note += fmt::format("{} times an expert was re-seeded from the worst-fitted rows", run.rescues);
    }
    candidate.history.insert(candidate.history.end(), run.history.begin(), run.history.end());
    candidate.converged = run.converged;
    candidate.monotone = candidate.monotone && run.monotone;
    candidate.starved = run.starved;
    judge(candidate);
  }

  // Densities with kinks have a maximum near every few rows. From case weights that are moved a little, EM arrives at
  // others nearby; the highest is kept.
  void shake(Candidate& candidate, const Prepared& prepared) {
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
      climb(moved, prepared, weights, kShortIterations, options_.tolerance);
      if (!moved.sound() || moved.restart.objective <= candidate.restart.objective) continue;
      candidate.parameters = moved.parameters;
      candidate.restart.objective = moved.restart.objective;
      candidate.restart.iterations = moved.restart.iterations;
      candidate.history.push_back(moved.restart.objective);
      here = weights_at(candidate, prepared);
    }
    model_->set_parameters(candidate.parameters);
  }

  void judge(Candidate& candidate) const {
    candidate.reason = degenerate_reason(*model_);
    if (candidate.reason.empty() && candidate.starved) candidate.reason = starved_reason(least_records_);
    candidate.restart.degenerate = !candidate.reason.empty();
  }

  const FitOptions& options_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Router> router_;
  double least_records_;
};

// Brings the best of the ranked candidates to a maximum each. Runs that end at a maximum which another one ended at
// before do not count.
void finish_best(Runs& runs, const Prepared& prepared, bool whole, std::vector<Candidate>& candidates) {
  const int wanted = whole ? kFinalists : kFinalistsOfMany;
  const int most = whole && prepared.data().count() <= kFewRows && runs.smooth() ? kFinishedAtMost : wanted;
  std::vector<double> arrived;
  const auto known = [&](double objective) {
    return std::any_of(arrived.begin(), arrived.end(), [&](double other) { return same_maximum(objective, other); });
  };
  double last = std::numeric_limits<double>::quiet_NaN();
  int finished = 0;
  for (Candidate& candidate : candidates) {
    if (finished == most || std::ssize(arrived) == wanted) break;
    const double objective = candidate.restart.objective;
    if (same_maximum(objective, last) || known(objective)) continue;
    last = objective;
    runs.finish(candidate, prepared);
    ++finished;
    if (!known(candidate.restart.objective)) arrived.push_back(candidate.restart.objective);
  }
}

// Sums over rows: joint and conditional log-likelihood, the largest terms, entropy; then sizes and members.
Eigen::VectorXd summary_sums(const Fit& fit, const Data& data) {
  const auto experts = static_cast<Eigen::Index>(fit.model->num_experts());
  Eigen::VectorXd sums(4 + 2 * experts);
  sum_blocks(data.count(), sums.size(), sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
    Eigen::MatrixXd joint(kBlockRows, experts);
    Eigen::MatrixXd gates(kBlockRows, experts);
    std::vector<double*> columns;
    std::vector<double*> gate_columns;
    for (Eigen::Index k = 0; k < experts; ++k) {
      columns.push_back(joint.col(k).data());
      gate_columns.push_back(gates.col(k).data());
    }
    std::vector<double> log_sums(kBlockRows);
    std::vector<double> input_log_density(kBlockRows);
    fit.model->log_joint(data, begin, count, columns);
    const Eigen::MatrixXd terms = joint;
    kernels::column_softmax(columns, count, log_sums.data());
    fit.model->gate().log_probabilities(data.gate_rows, begin, count, gate_columns);
    kernels::column_softmax(gate_columns, count, input_log_density.data());
    const Columns weights = block_of({data.weights}, begin);
    for (Eigen::Index i = 0; i < count; ++i) {
      const double c = weights[0][i];
      Eigen::Index best = 0;
      partial[0] += c * log_sums[static_cast<std::size_t>(i)];
      partial[1] += c * (log_sums[static_cast<std::size_t>(i)] - input_log_density[static_cast<std::size_t>(i)]);
      partial[2] += c * terms.row(i).maxCoeff(&best);
      for (Eigen::Index k = 0; k < experts; ++k) {
        const double h = joint(i, k);
        if (h > 0.0) partial[3] -= c * h * std::log(h);
        partial[4 + k] += c * h;
      }
      partial[4 + experts + best] += 1.0;
    }
  });
  return sums;
}

}  // namespace

void summarize(Fit& fit, const RowSource& rows) {
  const auto experts = static_cast<Eigen::Index>(fit.model->num_experts());
  Eigen::VectorXd sums = Eigen::VectorXd::Zero(4 + 2 * experts);
  rows.each([&](const Data& data) { sums += summary_sums(fit, data); });
  const bool joint = fit.model->gate().joint();
  const double shift = rows.total_weight() * fit.frame.log_density_shift(joint);
  fit.rows = rows.total_weight();
  fit.sizes.clear();
  fit.members.clear();
  fit.joint_log_likelihood = sums(0) + shift;
  fit.log_likelihood =
      joint ? sums(1) + rows.total_weight() * fit.frame.log_density_shift(false) : fit.joint_log_likelihood;
  fit.df = static_cast<int>(fit.model->parameters().size());
  fit.aic = -2.0 * fit.joint_log_likelihood + 2.0 * fit.df;
  fit.bic = -2.0 * fit.joint_log_likelihood + fit.df * std::log(fit.rows);
  fit.icl = -2.0 * (sums(2) + shift) + fit.df * std::log(fit.rows);
  fit.entropy = sums(3);
  for (Eigen::Index k = 0; k < experts; ++k) {
    fit.sizes.push_back(sums(4 + k));
    fit.members.push_back(static_cast<std::int64_t>(sums(4 + experts + k)));
  }
}

std::string degenerate_reason(const Model& model) {
  for (int k = 0; k < model.num_experts(); ++k) {
    std::string reason = model.experts().degenerate(k);
    if (const auto* gate = dynamic_cast<const GaussianGate*>(&model.gate()); reason.empty() && gate != nullptr) {
      reason = gate->degenerate(k);
    }
    if (!reason.empty()) return fmt::format("expert {}: {}", k + 1, reason);
  }
  return {};
}

double least_records(const Model& model, const Frame& frame) {
  return model.num_experts() > 1 ? static_cast<double>(frame.expert_input_names().size()) + 2.0 : 0.0;
}

std::string starved_reason(double least) {
  return fmt::format("an expert is left with fewer than {:.0f} records", least);
}

std::string no_polish_reason(const Model& model, const FitOptions& options) {
  if (is_network(model)) return "networks: no Hessian";
  if (!options.polish) return "not asked for";
  if (options.router != "posterior") return "the router is not the exact posterior";
  if (!model.experts().smooth()) return "the density has kinks: the gradient need not vanish at the maximum";
  if (options.sigma_convention != "ml") return "sigma_convention=unbiased does not maximise the likelihood";
  const Eigen::Index parameters = model.initial_parameters().size();
  if (parameters > kMaxPolishedParameters)
    return fmt::format("{} parameters exceed {}: no Hessian", parameters, kMaxPolishedParameters);
  return {};
}

std::unique_ptr<Model> make_model(const Frame& frame, const FitOptions& options) {
  const FamilyInfo& family = find_family(options.family);
  const auto experts = static_cast<int>(options.experts);
  std::unique_ptr<Gate> gate;
  if (has_network_gate(options)) {
    gate = make_network_gate(frame, options);
  } else if (options.gate == "gaussian") {
    if (frame.gate_inputs.empty()) fail("fit.gate_kind: gate_kind=gaussian needs an input, and the gate has none");
    const Covariance covariance = options.gate_covariance == "full"       ? Covariance::kFull
                                  : options.gate_covariance == "diagonal" ? Covariance::kDiagonal
                                                                          : Covariance::kSpherical;
    gate = std::make_unique<GaussianGate>(experts, static_cast<int>(frame.gate_inputs.size()), covariance,
                                          options.variance_floor);
  } else {
    std::vector<bool> penalized;
    if (frame.gate_intercept) penalized.push_back(false);
    penalized.insert(penalized.end(), frame.gate_inputs.size(), true);
    // A blend is one expert to the outside, with its gate within.
    const int leaves = options.combine == "means" ? 1 : experts;
    gate = std::make_unique<SoftmaxGate>(options.tree.empty() ? Tree::flat(leaves) : Tree::parse(options.tree),
                                         penalized, options.gate_ridge);
  }
  const ExpertShape shape{experts, static_cast<int>(frame.expert_input_names().size()),
                          static_cast<int>(frame.targets.size()), static_cast<int>(frame.classes.size())};
  if (has_network_experts(options))
    return std::make_unique<Model>(std::move(gate), make_network_experts(frame, options));
  if (shape.inputs == 0) fail("fit: the experts have neither inputs nor an intercept");
  return std::make_unique<Model>(std::move(gate), family.make(shape, options));
}

Fit fit_mixture(Sample sample, FitOptions options, const FitProgress& progress) {
  options.validate();
  if (options.gate == "constant") {
    sample.gate_inputs.clear();
    sample.gate_intercept = true;
  }
  const FamilyInfo& family = find_family(options.family);
  if (options.combine == "means" && sample.gate_inputs != sample.expert_inputs) {
    fail("fit.combine: with combine=means the gate reads what the experts read; leave its inputs out");
  }
  if (sample.targets.size() > 1 && !family.several_outputs) {
    fail("fit.family: family={} takes one target, and there are {}", options.family, sample.targets.size());
  }
  const Prepared prepared = Prepared::from(std::move(sample), family.target, options.experts);
  return fit_mixture(prepared, options, progress);
}

Fit fit_mixture(const Prepared& prepared, FitOptions options, const FitProgress& progress) {
  options.validate();
  Runs runs(options, prepared.frame());
  const std::int64_t rows = prepared.data().count();
  const int wanted = options.restarts > 0 ? static_cast<int>(options.restarts) : restarts_for(rows, options);
  const bool whole = wanted == 1 || rows <= kSubsampleAbove;
  const int moves = moves_for(rows, options);
  std::vector<Candidate> candidates;
  const auto report = [&](int done) {
    double best = -std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates) {
      if (candidate.sound()) best = std::max(best, candidate.restart.objective);
    }
    if (progress.run) progress.run(done, wanted + moves, best);
  };
  {
    const Prepared part =
        whole ? Prepared() : prepared.subsample(kSubsampleRows, static_cast<std::uint64_t>(options.seed));
    const Prepared& used = whole ? prepared : part;
    const int iterations = static_cast<int>(std::min<std::int64_t>(options.max_iterations, kShortIterations));
    const double scale = prepared.total_weight() / used.total_weight();
    for (int run = 0; run < wanted; ++run) {
      report(run);
      candidates.push_back(runs.start(used, run, iterations, std::max(options.tolerance, kShortTolerance)));
      candidates.back().restart.objective *= scale;
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), ranks_before);
  if (!whole) runs.compare_on(prepared, candidates);
  finish_best(runs, prepared, whole, candidates);
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.restart.finished != b.restart.finished) return a.restart.finished;
    return ranks_before(a, b);
  });
  if (moves > 0 && candidates.front().sound()) {
    Candidate moved = candidates.front();
    runs.search(moved, prepared, moves, [&](int move) { report(wanted + move); });
    if (moved.restart.objective > candidates.front().restart.objective) {
      moved.restart.number = wanted;
      candidates.insert(candidates.begin(), std::move(moved));
    }
  }
  report(wanted + moves);

  Candidate& best = candidates.front();
  Fit fit;
  for (const Candidate& candidate : candidates) {
    if (&candidate != &best && candidate.restart.finished && candidate.sound() &&
        !same_maximum(candidate.restart.objective, best.restart.objective)) {
      fit.other_maxima.push_back(candidate.parameters);
    }
  }
  fit.options = options;
  fit.frame = prepared.frame();
  fit.notes = prepared.notes();
  if (!best.restart.note.empty()) fit.notes.push_back(best.restart.note);
  fit.model = runs.release(best.parameters);
  summarize(fit, RowsInMemory(prepared.data()));
  const double shift = prepared.total_weight() * fit.frame.log_density_shift(fit.model->gate().joint());
  fit.objective = best.restart.objective + shift;
  for (Candidate& candidate : candidates) {
    candidate.restart.objective += shift;
    fit.restarts.push_back(candidate.restart);
  }
  for (const double value : best.history) fit.history.push_back(value + shift);
  fit.converged = best.converged;
  fit.monotone = best.monotone;
  fit.degenerate = best.restart.degenerate;
  fit.degenerate_reason = best.reason;
  fit.certificate = std::move(best.certificate);
  return fit;
}

}  // namespace witan::mixtures
