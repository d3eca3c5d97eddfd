// Gradient training of the same objectives that EM climbs, for any gate and experts, networks included.
#pragma once

#include <cstdint>
#include <vector>

#include "mixtures/model.h"

namespace witan::mixtures {

// Log-likelihood minus penalty and its gradient in Model::parameters(), by Fisher's identity: the posteriors of the
// present parameters as weights of each part's own gradient.
struct Slope {
  double objective = 0.0;
  Eigen::VectorXd gradient;
};
Slope slope(const Model& model, const Data& data);

struct GradientOptions {
  // First, steps of Adam (Kingma & Ba 2015) on mini-batches, rows in their order, the step falling to 0 as a cosine.
  std::int64_t epochs = 0;
  std::int64_t batch_rows = 256;
  double learning_rate = 0.01;
  // In the first half of the epochs, rows by which a balanced gate's total for an expert may exceed the mean
  // (Network::balance); 0: no bound.
  double balance_margin = 0.0;
  // Then L-BFGS (Nocedal & Wright 2006, algorithm 7.5) on all rows, until what a step gains falls below this share of
  // 1 + |objective|.
  int max_iterations = 1000;
  double tolerance = 1e-9;
};

struct GradientRun {
  std::vector<double> history;  // objective after each epoch and iteration on all rows
  bool converged = false;
  double gradient_norm = 0.0;  // largest absolute entry of the last gradient; parameters held at a bound do not count
};

// From the model's parameters, which stay within their bounds. Throws Interrupted when interrupted.
GradientRun train_by_gradient(Model& model, const Data& data, const GradientOptions& options);

}  // namespace witan::mixtures
