// A whole fit: restarts, the best of them brought to a maximum, its certificate and its criteria.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mixtures/em.h"
#include "mixtures/options.h"
#include "mixtures/polish.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {

// One line of the table of restarts.
struct Restart {
  int number = 0;
  std::string start;
  double objective = 0.0;  // log-likelihood minus penalty in the user's units; of a subsample, scaled to all rows
  int iterations = 0;
  bool finished = false;  // whether it was among the best, and brought to a maximum
  bool degenerate = false;
  std::string note;
};

struct Fit {
  FitOptions options;
  Frame frame;
  std::vector<std::string> notes;  // what preparation and runs had to work around
  std::unique_ptr<Model> model;    // on standardised columns
  // Parameters of other sound runs that were brought to a maximum, and to another one: best first.
  std::vector<Eigen::VectorXd> other_maxima;

  // In the user's units. With a Gaussian gate the joint likelihood of targets and inputs is what was climbed, and
  // log_likelihood is the conditional one that follows from it.
  double log_likelihood = 0.0;
  double joint_log_likelihood = 0.0;  // the same as log_likelihood without a Gaussian gate
  double objective = 0.0;             // what EM climbs, penalty included
  double rows = 0.0;                  // case weights together
  int df = 0;
  // AIC = -2 L + 2 df, BIC = -2 L + df log n, ICL = -2 sum log max_k w_k f_k + df log n (Biernacki, Celeux & Govaert
  // 2000), entropy = -sum h log h; L and w f are joint with a Gaussian gate.
  double aic = 0.0;
  double bic = 0.0;
  double icl = 0.0;
  double entropy = 0.0;
  std::vector<double> sizes;          // effective records of each expert, sum of responsibilities
  std::vector<std::int64_t> members;  // rows whose most likely expert it is

  std::vector<Restart> restarts;
  std::vector<double> history;  // objective at each step of the best run
  bool converged = false;
  bool monotone = false;
  bool degenerate = false;
  std::string degenerate_reason;
  Certificate certificate;
};

struct FitProgress {
  // Called at each run's start and end: runs done, of how many, best objective so far (standardised). May be empty.
  std::function<void(int done, int total, double best)> run;
};

// Consumes the sample. Throws Error for options or data that do not fit together (see Prepared::from), Interrupted when
// interrupted.
Fit fit_mixture(Sample sample, FitOptions options, const FitProgress& progress = {});
// The same on data prepared for the family's kind of target: several fits share it.
Fit fit_mixture(const Prepared& prepared, FitOptions options, const FitProgress& progress = {});
// Likelihoods, criteria and sizes of fit.model over these rows, under fit.frame.
void summarize(Fit& fit, const RowSource& rows);

// Why a model is degenerate ("expert 2: its variance reached the floor"); empty where it is sound.
std::string degenerate_reason(const Model& model);
// Fewer records than this decide nothing about an expert's regression; 0 where it has no rivals. A model with an expert
// of fewer is degenerate too, for the reason that starved_reason says.
double least_records(const Model& model, const Frame& frame);
std::string starved_reason(double least);

// Why polish() is not to be run on this model, or would prove nothing: "the router is not the exact posterior". Empty
// where a certificate can be had. One rule, of fits in memory and of streams.
std::string no_polish_reason(const Model& model, const FitOptions& options);

// A model of the right shape with its initial parameters: what fits and model files are made of.
std::unique_ptr<Model> make_model(const Frame& frame, const FitOptions& options);

}  // namespace witan::mixtures
