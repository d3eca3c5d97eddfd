// From a sample to the whole stream.
#include "mixtures/stream_fit.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "mixtures/derivatives.h"
#include "mixtures/linear_algebra.h"
#include "mixtures/network_model.h"

namespace witan::mixtures {
namespace {

constexpr int kNewtonSteps = 30;
constexpr double kLongestStep = 0.5;  // of a standardised parameter, per mini-batch

class OnlineEm {
 public:
  // The model is fitted to `start`, which counts as the batches before the first.
  OnlineEm(Model& model, const Data& start, double total_weight, std::int64_t batch_rows)
      : model_(model),
        at_(model.parameters()),
        lower_(model.lower_bounds()),
        upper_(model.upper_bounds()),
        information_(score_products(model, start).hessian / start.total_weight),
        batches_(std::max(1.0, static_cast<double>(start.count()) / static_cast<double>(batch_rows))),
        batch_rows_(batch_rows),
        penalty_share_(1.0 / total_weight) {}

  void follow(const Data& piece) {
    for (std::int64_t begin = 0; begin < piece.count(); begin += batch_rows_)
      step(rows_of(piece, begin, std::min(batch_rows_, piece.count() - begin)));
  }

 private:
  static Data rows_of(const Data& piece, std::int64_t begin, std::int64_t count) {
    Data batch = piece;
    const auto cut = [&](Rows& rows) {
      rows.count = count;
      for (Columns* columns : {&rows.inputs, &rows.targets}) {
        for (Column& column : *columns) column = column == nullptr ? nullptr : column + begin;
      }
    };
    cut(batch.expert_rows);
    cut(batch.gate_rows);
    if (batch.weights != nullptr) batch.weights += begin;
    batch.total_weight = batch.weights == nullptr
                             ? static_cast<double>(count)
                             : Eigen::Map<const Eigen::VectorXd>(batch.weights, static_cast<Eigen::Index>(count)).sum();
    return batch;
  }

  void step(const Data& batch) {
    const Derivatives scores = score_products(model_, batch);
    batches_ += 1.0;
    const double gamma = 1.0 / batches_;
    information_ += gamma * (scores.hessian / batch.total_weight - information_);
    Eigen::MatrixXd regular = information_;
    // As many outer products as parameters leave directions of which nothing is known yet.
    const double rows_seen = batches_ * static_cast<double>(batch_rows_);
    regular.diagonal() *= 1.0 + static_cast<double>(at_.size()) / rows_seen;
    regular.diagonal().array() += 1e-8 * std::max(1e-300, information_.diagonal().maxCoeff());
    bool rank_deficient = false;
    Eigen::VectorXd move =
        gamma * solve_symmetric(regular,
                                scores.gradient / batch.total_weight - penalty_share_ * model_.penalty_gradient(),
                                rank_deficient);
    if (!move.allFinite()) return;
    const double longest = move.cwiseAbs().maxCoeff();
    if (longest > kLongestStep) move *= kLongestStep / longest;
    at_ = (at_ + move).cwiseMax(lower_).cwiseMin(upper_);
    model_.set_parameters(at_);
  }

  Model& model_;
  Eigen::VectorXd at_;
  Eigen::VectorXd lower_;
  Eigen::VectorXd upper_;
  Eigen::MatrixXd information_;
  double batches_;
  std::int64_t batch_rows_;
  double penalty_share_;
};

double objective_of(const Model& model, const RowSource& rows) {
  double sum = 0.0;
  rows.each([&](const Data& piece) { sum += log_likelihood(model, piece); });
  return sum - model.penalty_value();
}

}  // namespace

StreamedFit fit_stream(const TableStream& table, FitOptions options, const StreamOptions& stream,
                       const FitProgress& progress) {
  options.validate();
  const auto stage = [&](const std::string& text) {
    if (stream.stage) stream.stage(text);
  };
  const bool is_all = table.rows() <= stream.start_rows;
  if (!is_all && (has_network_gate(options) || has_network_experts(options))) {
    fail("fit.stream: networks are trained on tables in memory; leave --stream out, or the networks");
  }
  StreamedFit result;
  stage("drawing rows for the start");
  result.drawn = table.draw(stream.start_rows, static_cast<std::uint64_t>(options.seed));
  result.start = build_design(result.drawn, table.request());
  const Prepared start =
      Prepared::from(result.start.sample, find_family(options.family).target, options.experts, &table.scales());
  result.fit = fit_mixture(start, options, progress);
  if (is_all) return result;

  Fit& fit = result.fit;
  Model& model = *fit.model;
  const StreamedRows rows(table, fit.frame);
  const Eigen::VectorXd before = model.parameters();
  OnlineEm online(model, start.data(), table.scales().total_weight, options.batch_rows);
  for (std::int64_t pass = 0; pass < stream.passes; ++pass) {
    stage(fmt::format("on-line EM, pass {} of {}", pass + 1, stream.passes));
    rows.each([&](const Data& piece) { online.follow(piece); });
  }
  stage("comparing with the start");
  const Eigen::VectorXd after = model.parameters();
  const double objective = objective_of(model, rows);
  model.set_parameters(before);
  const double at_start = objective_of(model, rows);
  if (objective >= at_start) model.set_parameters(after);
  std::vector<double> history = {at_start, std::max(at_start, objective)};
  fit.notes.push_back(fmt::format("on-line EM over {} rows, {} at a time, from a fit to {} of them",
                                  table.scales().rows, options.batch_rows, start.data().count()));
  fit.certificate = {};
  if (!options.polish) {
    fit.certificate.reason = "not asked for";
  } else if (model.experts().smooth() && options.router == "posterior") {
    stage("Newton's method on the whole table");
    fit.certificate = polish(model, rows, kNewtonSteps);
    history.push_back(objective_of(model, rows));
  } else {
    fit.certificate.reason = "the density has kinks: the gradient need not vanish at the maximum";
  }
  stage("summing up");
  summarize(fit, rows);
  // From standardised targets to the user's, as the likelihood goes.
  const double shift = fit.joint_log_likelihood - (history.back() + model.penalty_value());
  for (double& value : history) value += shift;
  fit.objective = history.back();
  fit.converged = fit.certificate.maximum;
  fit.monotone = std::is_sorted(history.begin(), history.end());
  fit.history = std::move(history);
  return result;
}

}  // namespace witan::mixtures
