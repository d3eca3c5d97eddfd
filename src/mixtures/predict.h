// What a fitted mixture says of rows: the distribution of the target given the inputs, and whose rows they are.
#pragma once

#include <span>
#include <vector>

#include "mixtures/model.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {

// In the user's units.
struct RowPrediction {
  std::vector<double> gate;       // w_k(x) [experts]
  std::vector<double> posterior;  // h_k [experts]; empty without targets
  std::vector<double> mean;       // of each output, or probabilities of the classes
  std::vector<double> deviation;  // standard deviation of each output; infinite where none exists; empty for classes
  std::vector<double> quantiles;  // of the first output, as asked for; empty for classes
  double log_density = 0.0;       // log f(y | x); NaN without targets
  double pit = 0.0;  // F(y | x) of the first output (of counts: the mean of F at y and below); NaN likewise
};

// Predicts row after row. `levels` are probabilities in (0, 1).
class Predictor {
 public:
  // Both must outlive this; `prepared` is Prepared::under(frame, ...).
  Predictor(const Model& model, const Prepared& prepared);
  RowPrediction row(std::int64_t row, std::span<const double> levels) const;

 private:
  const Model& model_;
  const Prepared& prepared_;
};

}  // namespace witan::mixtures
