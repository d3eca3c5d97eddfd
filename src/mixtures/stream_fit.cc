// From a sample to the whole stream.
#include "mixtures/stream_fit.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "mixtures/derivatives.h"
#include "mixtures/linear_algebra.h"
#include "mixtures/network_model.h"

namespace witan::mixtures {
namespace {

constexpr int kNewtonSteps = 30;
constexpr double kLongestStep = 0.5;  // of a standardised parameter, per mini-batch
constexpr double kForgetting = 0.6;   // exponent of the steps, in (1/2, 1)
constexpr std::size_t kMostCandidates = 3;

class OnlineEm {
 public:
  // The model stands at `at`, fitted to `start`, which counts as the batches before the first.
  OnlineEm(Model& model, Router& router, Eigen::VectorXd at, const Data& start, double total_weight,
           std::int64_t batch_rows)
      : model_(model),
        router_(router),
        at_(std::move(at)),
        lower_(model.lower_bounds()),
        upper_(model.upper_bounds()),
        batches_(std::max(1.0, static_cast<double>(start.count()) / static_cast<double>(batch_rows))),
        batch_rows_(batch_rows),
        penalty_share_(1.0 / total_weight) {
    model_.set_parameters(at_);
    information_ = score_products(model_, start, router_).hessian / start.total_weight;
    begin_averaging();
  }

  // From here on the parameters count for average().
  void begin_averaging() {
    sum_ = Eigen::VectorXd::Zero(at_.size());
    averaged_ = 0.0;
  }
  Eigen::VectorXd average() const { return averaged_ > 0.0 ? Eigen::VectorXd(sum_ / averaged_) : at_; }

  // Leaves the model anywhere.
  void follow(const Data& piece) {
    model_.set_parameters(at_);
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
    router_.begin_iteration(static_cast<int>(batches_));
    const Derivatives scores = score_products(model_, batch, router_);
    batches_ += 1.0;
    information_ += (scores.hessian / batch.total_weight - information_) / batches_;
    Eigen::MatrixXd regular = information_;
    // As many outer products as parameters leave directions of which nothing is known yet.
    const double rows_seen = batches_ * static_cast<double>(batch_rows_);
    regular.diagonal() *= 1.0 + static_cast<double>(at_.size()) / rows_seen;
    regular.diagonal().array() += 1e-8 * std::max(1e-300, information_.diagonal().maxCoeff());
    bool rank_deficient = false;
    Eigen::VectorXd move =
        std::pow(batches_, -kForgetting) *
        solve_symmetric(regular, scores.gradient / batch.total_weight - penalty_share_ * model_.penalty_gradient(),
                        rank_deficient);
    if (!move.allFinite()) return;
    const double longest = move.cwiseAbs().maxCoeff();
    if (longest > kLongestStep) move *= kLongestStep / longest;
    at_ = (at_ + move).cwiseMax(lower_).cwiseMin(upper_);
    model_.set_parameters(at_);
    sum_ += batch.total_weight * at_;
    averaged_ += batch.total_weight;
  }

  Model& model_;
  Router& router_;
  Eigen::VectorXd at_;
  Eigen::VectorXd lower_;
  Eigen::VectorXd upper_;
  Eigen::MatrixXd information_;
  Eigen::VectorXd sum_;  // of the parameters since begin_averaging, by the weights of their batches
  double averaged_ = 0.0;
  double batches_;
  std::int64_t batch_rows_;
  double penalty_share_;
};

struct Place {
  Eigen::VectorXd parameters;
  double objective = -std::numeric_limits<double>::infinity();
};

// Objectives of all places, in one pass over the rows; best first.
void compare(Model& model, const Router& router, const RowSource& rows, std::vector<Place>& places) {
  for (Place& place : places) place.objective = 0.0;
  rows.each([&](const Data& piece) {
    Weights weights(piece.count(), model.num_experts());
    for (Place& place : places) {
      model.set_parameters(place.parameters);
      place.objective += expectation_step(model, piece, router, weights) + model.penalty_value();
    }
  });
  for (Place& place : places) {
    model.set_parameters(place.parameters);
    place.objective -= model.penalty_value();
    if (std::isnan(place.objective)) place.objective = -std::numeric_limits<double>::infinity();
  }
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.objective > b.objective; });
}

// The maxima of the drawn rows that may lead to the highest maximum of all rows: best first.
std::vector<Place> contenders(Fit& fit, const Router& router, const RowSource& rows, double rows_per_drawn) {
  std::vector<Place> places = {{fit.model->parameters()}};
  for (const Eigen::VectorXd& other : fit.other_maxima) {
    if (places.size() < kMostCandidates) places.push_back({other});
  }
  compare(*fit.model, router, rows, places);
  // A maximum of the drawn rows is below that of all rows by half a nat per parameter and row that was left out for
  // one that was drawn, give or take.
  const double margin = static_cast<double>(places.front().parameters.size()) * rows_per_drawn;
  const double best = places.front().objective;
  std::erase_if(places, [&](const Place& place) { return place.objective < best - margin; });
  return places;
}

}  // namespace

StreamedFit fit_stream(const TableStream& table, FitOptions options, const StreamOptions& stream,
                       const FitProgress& progress) {
  options.validate();
  const auto stage = [&](const std::string& text) {
    if (stream.stage) stream.stage(text);
  };
  const bool is_all = table.rows() <= stream.start_rows;
  if (!is_all && has_networks(options)) {
    fail("fit.stream: networks are trained on tables in memory; leave --stream out, or the networks");
  }
  if (!is_all && options.sigma_convention != "ml") {
    fail("fit.stream: sigma_convention={} is for tables in memory; of {} rows, n / (n - p) hardly differs from 1",
         options.sigma_convention, table.rows());
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
  const double total_weight = table.scales().total_weight;
  const std::unique_ptr<Router> router = make_router(options.router, static_cast<std::uint64_t>(options.seed));
  stage("comparing maxima of the drawn rows");
  std::vector<Place> places = contenders(fit, *router, rows, total_weight / start.total_weight());
  std::vector<double> history = {places.front().objective};
  std::vector<OnlineEm> climbers;
  for (const Place& place : places)
    climbers.emplace_back(model, *router, place.parameters, start.data(), total_weight, options.batch_rows);
  for (std::int64_t pass = 0; pass < stream.passes; ++pass) {
    stage(fmt::format("on-line EM, pass {} of {}", pass + 1, stream.passes));
    double seen = 0.0;
    bool averaging = pass > 0;
    for (OnlineEm& climber : climbers) climber.begin_averaging();
    rows.each([&](const Data& piece) {
      for (OnlineEm& climber : climbers) {
        if (!averaging && seen >= 0.5 * total_weight) climber.begin_averaging();
        climber.follow(piece);
      }
      averaging = averaging || seen >= 0.5 * total_weight;
      seen += piece.total_weight;
    });
  }
  stage("comparing with the start");
  places.resize(1);
  for (const OnlineEm& climber : climbers) places.push_back({climber.average()});
  compare(model, *router, rows, places);
  model.set_parameters(places.front().parameters);
  history.push_back(places.front().objective);
  fit.notes.push_back(fmt::format("on-line EM over {} rows, {} at a time, from a fit to {} of them",
                                  table.scales().rows, options.batch_rows, start.data().count()));
  fit.certificate = {};
  fit.certificate.reason = no_polish_reason(model, options);
  if (fit.certificate.reason.empty()) {
    stage("Newton's method on the whole table");
    fit.certificate = polish(model, rows, kNewtonSteps);
  }
  stage("summing up");
  summarize(fit, rows);
  fit.degenerate_reason = degenerate_reason(model);
  const double least = least_records(model, fit.frame);
  const double records = *std::min_element(fit.sizes.begin(), fit.sizes.end());
  if (fit.degenerate_reason.empty() && records < least * total_weight / static_cast<double>(table.scales().rows))
    fit.degenerate_reason = starved_reason(least);
  fit.degenerate = !fit.degenerate_reason.empty();
  // From standardised targets to the user's, as the likelihood goes.
  const double shift = total_weight * fit.frame.log_density_shift(model.gate().joint());
  for (double& value : history) value += shift;
  if (fit.certificate.has_hessian) history.push_back(fit.joint_log_likelihood - model.penalty_value());
  fit.objective = history.back();
  fit.converged = fit.certificate.maximum;
  fit.monotone = std::is_sorted(history.begin(), history.end());
  fit.history = std::move(history);
  return result;
}

}  // namespace witan::mixtures
