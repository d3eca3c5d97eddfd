// Short runs from many starts, long runs of the best, moves from their maxima to higher ones, Newton at the end.
#include "mixtures/fit.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/columns.h"
#include "mixtures/ascent.h"
#include "mixtures/families.h"
#include "mixtures/gaussian_gate.h"
#include "mixtures/network_model.h"
#include "mixtures/softmax_gate.h"
#include "mixtures/start.h"

namespace witan::mixtures {
namespace {

constexpr std::int64_t kSubsampleAbove = 60'000;  // rows: beyond, several starts are compared on a part of them
constexpr std::int64_t kSubsampleRows = 20'000;
constexpr int kShortIterations = 60;
constexpr double kShortTolerance = 1e-7;
constexpr int kFinalists = 6;        // different maxima
constexpr int kFinishedAtMost = 15;  // runs: those that were not at a maximum yet may arrive at the same one
constexpr int kFinalistsOfMany = 2;  // of more rows than kSubsampleAbove
constexpr int kNetworkStarts = 5;
constexpr double kHopeless = 10.0;       // nats below the best start so far: where other starts need not go on
constexpr std::int64_t kSideBySide = 8;  // runs of tables that are too small to share the threads otherwise
constexpr int kMostPatience = 4;         // as many moves as that times their patience
constexpr std::size_t kMaxima = 4;       // that moves begin at
constexpr double kNeighbour = 0.05;      // nats between maxima that are one to moves, which end before they arrive

// Starts are cheap on few rows, and with more experts fewer of them lead to the highest maximum.
int restarts_for(std::int64_t rows, const FitOptions& options, bool hasty) {
  if (has_networks(options)) return kNetworkStarts;
  if (options.experts == 1) return 1;
  const bool few = options.experts == 2;
  if (rows > 20'000) return 15;
  if (rows > 2'000) return few ? 25 : 40;
  // Families without a closed M-step take several times as long.
  const int most = options.family == "gaussian" && !hasty ? 120'000 : 30'000;
  return few ? 60 : std::clamp(static_cast<int>(most / (rows + 1)), 60, 150);
}

// After the starts, moves away from the best maxima, until so many in a row led nowhere: with many experts, most starts
// end at a maximum where all but one or two of them stand right. A move costs a third of a start; where every run is
// followed to where it leads (`hasty`), as much as one, and fewer of either are needed.
int moves_for(std::int64_t rows, const FitOptions& options, bool hasty, Eigen::Index parameters) {
  if (options.restarts > 0 || options.experts == 1 || options.training != "em" || options.router == "stochastic" ||
      rows > 20'000) {
    return 0;
  }
  if (rows > 2'000) return options.experts == 2 ? 20 : 40;
  if (hasty) return std::clamp(static_cast<int>(2'000'000 / (rows * parameters)), 48, options.experts == 2 ? 100 : 240);
  const int most = options.family == "gaussian" ? 240'000 : 160'000;
  return options.experts == 2 ? 40 : std::clamp(static_cast<int>(most / (rows + 1)), 120, 800);
}

// Several ascents where a table is too small for one to use all threads. Which of them makes a run does not matter.
class Team {
 public:
  Team(const FitOptions& options, const Frame& frame, std::int64_t rows) {
    const bool alone = rows > kFewRows || options.experts == 1 || has_networks(options);
    for (std::int64_t i = 0; i < (alone ? 1 : kSideBySide); ++i)
      ascents_.push_back(std::make_unique<Ascent>(options, frame));
  }
  Ascent& first() { return *ascents_.front(); }
  std::int64_t size() const { return std::ssize(ascents_); }

  // run(ascent, number) for the numbers begin .. end - 1, of which there are size() at most; results in that order.
  std::vector<Candidate> together(int begin, int end, const std::function<Candidate(Ascent&, int)>& run) {
    std::vector<Candidate> results(static_cast<std::size_t>(end - begin));
    if (results.size() == 1) {
      results[0] = run(first(), begin);
      return results;
    }
    parallel_for(end - begin, 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        const auto slot = static_cast<std::size_t>(i);
        results[slot] = run(*ascents_[slot], begin + static_cast<int>(i));
      }
    });
    return results;
  }

 private:
  std::vector<std::unique_ptr<Ascent>> ascents_;
};

double best_objective(const std::vector<Candidate>& candidates) {
  double best = -std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    if (candidate.sound()) best = std::max(best, candidate.objective());
  }
  return best;
}

// Brings the best of the ranked candidates to a maximum each. Runs that end at a maximum which another one ended at
// before do not count.
void finish_best(Ascent& ascent, const Prepared& prepared, bool whole, std::vector<Candidate>& candidates) {
  const int wanted = whole ? kFinalists : kFinalistsOfMany;
  const int most = whole && prepared.data().count() <= kFewRows && ascent.smooth() ? kFinishedAtMost : wanted;
  std::vector<double> arrived;
  const auto known = [&](double objective) {
    return std::any_of(arrived.begin(), arrived.end(), [&](double other) { return same_maximum(objective, other); });
  };
  double last = std::numeric_limits<double>::quiet_NaN();
  int finished = 0;
  for (Candidate& candidate : candidates) {
    if (finished == most || std::ssize(arrived) == wanted) break;
    const double objective = candidate.objective();
    if (same_maximum(objective, last) || known(objective)) continue;
    last = objective;
    ascent.finish(candidate, prepared);
    ++finished;
    if (!known(candidate.objective())) arrived.push_back(candidate.objective());
  }
}

// Ranks runs on a part of the rows by what their parameters are worth on all of them: those of the first few maxima,
// since a part may prefer another maximum than the whole.
void compare_on(const Prepared& prepared, Ascent& ascent, std::vector<Candidate>& ranked) {
  std::vector<Candidate> compared;
  double last = std::numeric_limits<double>::quiet_NaN();
  for (Candidate& candidate : ranked) {
    if (std::ssize(compared) == kFinalists || !candidate.sound()) break;
    if (same_maximum(candidate.objective(), last)) continue;
    last = candidate.objective();
    compared.push_back(candidate);
    compared.back().restart.objective = ascent.objective_on(candidate, prepared);
    candidate.restart.number = -1;  // moves to the front
  }
  std::stable_sort(compared.begin(), compared.end(), ranks_before);
  std::erase_if(ranked, [](const Candidate& candidate) { return candidate.restart.number < 0; });
  ranked.insert(ranked.begin(), compared.begin(), compared.end());
}

// Keeps the highest maxima that are not neighbours, best first.
void remember(std::vector<Candidate>& maxima, Candidate candidate) {
  std::erase_if(maxima, [&](const Candidate& other) {
    return other.objective() <= candidate.objective() && candidate.objective() - other.objective() < kNeighbour;
  });
  const bool known = std::any_of(maxima.begin(), maxima.end(), [&](const Candidate& other) {
    return std::fabs(other.objective() - candidate.objective()) < kNeighbour;
  });
  if (known) return;
  maxima.push_back(std::move(candidate));
  std::stable_sort(maxima.begin(), maxima.end(), ranks_before);
  if (maxima.size() > kMaxima) maxima.pop_back();
}

// Moves away from the highest maximum and a few others in turn, to which what they lead to is added where it is higher
// than where they began, until `patience` moves in a row found none. Returns the highest, finished.
Candidate search(Team& team, const Prepared& prepared, std::vector<Candidate> maxima, int patience,
                 const std::function<void(int done, int left)>& report) {
  const Eigen::MatrixXd points = start_points(prepared.data(), prepared.frame().target_kind);
  int last_gain = 0;
  int done = 0;
  while (done - last_gain < patience && done < kMostPatience * patience) {
    report(done, patience - (done - last_gain));
    const auto from = [&](int number) {
      return number % 2 == 0 ? std::size_t{0} : static_cast<std::size_t>(number / 2) % maxima.size();
    };
    const int begin = done;
    done += static_cast<int>(team.size());
    std::vector<Candidate> reached = team.together(begin, done, [&](Ascent& ascent, int number) {
      return ascent.leave(maxima[from(number)], prepared, points, number);
    });
    std::vector<Candidate> higher;
    for (int number = begin; number < done; ++number) {
      Candidate& there = reached[static_cast<std::size_t>(number - begin)];
      const double before = maxima[from(number)].objective();
      if (there.sound() && there.objective() > before && !same_maximum(there.objective(), before))
        higher.push_back(std::move(there));
    }
    if (!higher.empty()) last_gain = done;
    for (Candidate& there : higher) remember(maxima, std::move(there));
  }
  report(done, 0);
  for (Candidate& candidate : maxima) {
    if (!candidate.restart.finished) team.first().finish(candidate, prepared);
  }
  return *std::min_element(maxima.begin(), maxima.end(), ranks_before);
}

// Of sound runs at the same maximum as the first, the earliest start takes its place: rounding would choose otherwise,
// and with it the order of the experts.
void put_earliest_first(std::vector<Candidate>& ranked) {
  if (!ranked.front().sound()) return;
  auto earliest = ranked.begin();
  for (auto other = ranked.begin(); other != ranked.end() && other->sound(); ++other) {
    if (!same_maximum(other->objective(), ranked.front().objective())) break;
    if (other->restart.number < earliest->restart.number) earliest = other;
  }
  std::rotate(ranked.begin(), earliest, earliest + 1);
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
  // The stochastic router draws to climb the likelihood, the hard one climbs something else.
  if (options.router == "hard") return "the router is not the exact posterior";
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
  const std::int64_t rows = prepared.data().count();
  Team team(options, prepared.frame(), rows);
  const bool hasty = team.first().hastens(prepared);
  const int wanted = options.restarts > 0 ? static_cast<int>(options.restarts) : restarts_for(rows, options, hasty);
  const bool whole = wanted == 1 || rows <= kSubsampleAbove;
  const int moves = moves_for(rows, options, hasty, team.first().num_parameters());
  std::vector<Candidate> candidates;
  const auto report = [&](int done, int total) {
    if (progress.run) progress.run(done, total, best_objective(candidates));
  };
  {
    const Prepared part =
        whole ? Prepared() : prepared.subsample(kSubsampleRows, static_cast<std::uint64_t>(options.seed));
    const Prepared& used = whole ? prepared : part;
    const int iterations = static_cast<int>(std::min<std::int64_t>(options.max_iterations, kShortIterations));
    const double scale = prepared.total_weight() / used.total_weight();
    for (int done = 0; done < wanted; done = static_cast<int>(candidates.size())) {
      report(done, wanted + moves);
      const double goal =
          team.size() > 1 ? best_objective(candidates) - kHopeless : -std::numeric_limits<double>::infinity();
      const int end = static_cast<int>(std::min<std::int64_t>(wanted, done + team.size()));
      const auto start = [&](Ascent& ascent, int number) {
        return ascent.start(used, number, iterations, std::max(options.tolerance, kShortTolerance), goal);
      };
      for (Candidate& candidate : team.together(done, end, start)) {
        candidate.restart.objective *= scale;
        candidates.push_back(std::move(candidate));
      }
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), ranks_before);
  put_earliest_first(candidates);
  if (!whole) compare_on(prepared, team.first(), candidates);
  finish_best(team.first(), prepared, whole, candidates);
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.restart.finished != b.restart.finished) return a.restart.finished;
    return ranks_before(a, b);
  });
  int done = wanted;
  if (moves > 0 && candidates.front().sound()) {
    std::vector<Candidate> maxima;
    for (const Candidate& candidate : candidates) {
      if (candidate.restart.finished && candidate.sound()) remember(maxima, candidate);
    }
    Candidate highest = search(team, prepared, std::move(maxima), moves, [&](int moved, int left) {
      done = wanted + moved;
      if (left > 0) report(done, done + left);  // the end is told below
    });
    if (ranks_before(highest, candidates.front())) {  // a higher one may have degenerated while it was finished
      highest.restart.number = wanted;
      candidates.insert(candidates.begin(), std::move(highest));
    }
  }
  report(done, done);

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
  fit.model = team.first().release(best.parameters);
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
