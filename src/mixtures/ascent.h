// One run of a fit: from a start, or from a maximum that was left by a move, up to a maximum. Which runs there are and
// which of them count is not decided here (fit.cc).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "mixtures/fit.h"

namespace witan::mixtures {

// Up to which finishing a run costs next to nothing, and Newton's method may follow every one.
inline constexpr std::int64_t kFewRows = 5'000;

// A run in progress: where it stands, and how it got there.
struct Candidate {
  Restart restart;
  Eigen::VectorXd parameters;
  std::vector<double> history;
  bool converged = false;
  bool monotone = true;
  bool starved = false;
  bool left_early = false;      // it could not reach what it had to
  double gradient_norm = -1.0;  // of gradient training
  std::string reason;           // of degeneracy
  Certificate certificate;

  double objective() const { return restart.objective; }
  bool sound() const { return !restart.degenerate; }
};

// Whether gradients alone can train it.
bool is_network(const Model& model);
// Whether runs with these objectives are at the same maximum.
bool same_maximum(double a, double b);
// Degenerate runs come last, whatever their likelihood.
bool ranks_before(const Candidate& a, const Candidate& b);

// Has a model of its own: several of them work side by side.
class Ascent {
 public:
  Ascent(const FitOptions& options, const Frame& frame);

  bool smooth() const { return model_->experts().smooth(); }
  Eigen::Index num_parameters() const { return model_->initial_parameters().size(); }
  // Whether runs on these rows are cheap to bring to a maximum by Newton's method.
  bool hastens(const Prepared& prepared) const;

  // Start number `number`, so many iterations far; fewer when it turns out that it cannot reach `goal`.
  Candidate start(const Prepared& prepared, int number, int max_iterations, double tolerance,
                  double goal = -std::numeric_limits<double>::infinity());
  // On from the candidate's parameters, to a maximum.
  void finish(Candidate& candidate, const Prepared& prepared);
  // Where move number `number` leads from this maximum: followed as long as it may become higher, and not finished.
  // `points`: start_points of the same rows.
  Candidate leave(const Candidate& maximum, const Prepared& prepared, const Eigen::MatrixXd& points, int number);
  // The objective at the candidate's parameters on these rows.
  double objective_on(const Candidate& candidate, const Prepared& prepared);

  std::unique_ptr<Model> release(const Eigen::VectorXd& parameters);

 private:
  // Case weights times responsibilities at the candidate's parameters, where the model is left.
  Weights weights_at(const Candidate& candidate, const Prepared& prepared);
  void follow_gradient(Candidate& candidate, const Prepared& prepared, int iterations, double tolerance,
                       std::int64_t epochs);
  void climb(Candidate& candidate, const Prepared& prepared, Weights& weights, int max_iterations, double tolerance,
             double goal = -std::numeric_limits<double>::infinity());
  // A few steps of Newton's method, which tell where a run leads that EM takes thousands of iterations for; fewer when
  // that is below `goal`.
  void hasten(Candidate& candidate, const Prepared& prepared, double goal);
  double least_mass(const Prepared& prepared) const;
  void shake(Candidate& candidate, const Prepared& prepared);
  void judge(Candidate& candidate) const;

  const FitOptions& options_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Router> router_;
  double least_records_;
};

}  // namespace witan::mixtures
