// 4. Fit a mixture of two regressions to numbers in memory, and look at what it found. No transformer part is linked.
// Build: the checks do; run: build/release/examples/04_fit_mixture
#include <fmt/core.h>

#include <cmath>

#include "base/random.h"
#include "mixtures/coefficients.h"
#include "mixtures/fit.h"
#include "mixtures/predict.h"

int main() {
  // Half of the records follow one line, half another; which one is likelier depends on x.
  witan::Random random(/*seed=*/1);
  witan::mixtures::Sample sample;
  sample.columns = {{"x", {}}};
  sample.targets = {{"y", {}}};
  for (int n = 0; n < 500; ++n) {
    const double x = 6.0 * random.uniform_open() - 3.0;
    const bool rising = random.uniform_open() < 1.0 / (1.0 + std::exp(-x));
    sample.columns[0].values.push_back(x);
    sample.targets[0].values.push_back((rising ? 1.0 + 2.0 * x : 2.0 - x) + 0.5 * random.normal());
  }
  sample.expert_inputs = {0};  // numbers of sample.columns
  sample.gate_inputs = {0};

  witan::mixtures::FitOptions options;
  options.experts = 2;
  const witan::mixtures::Fit fit = witan::mixtures::fit_mixture(sample, options);

  fmt::print("log-likelihood {:.3f}, BIC {:.3f}, {}\n", fit.log_likelihood, fit.bic,
             fit.certificate.maximum ? "a certified maximum" : fit.certificate.reason);
  for (const witan::mixtures::Coefficient& c : witan::mixtures::coefficients(fit)) {
    fmt::print("{:<9} {:<22} {:>8.3f} ({:.3f})\n", c.part, c.target.empty() ? c.term : c.target + ": " + c.term,
               c.estimate, c.standard_error.value_or(NAN));
  }

  witan::mixtures::Sample ahead;
  ahead.columns = {{"x", {2.0}}};
  const auto rows = witan::mixtures::Prepared::under(fit.frame, ahead);
  const witan::mixtures::Predictor predictor(*fit.model, rows);
  const double levels[] = {0.05, 0.95};
  const witan::mixtures::RowPrediction at_two = predictor.row(0, levels);
  fmt::print("at x = 2: mean {:.2f}, 90 % between {:.2f} and {:.2f}, gate {:.2f} and {:.2f}\n", at_two.mean[0],
             at_two.quantiles[0], at_two.quantiles[1], at_two.gate[0], at_two.gate[1]);
  return fit.certificate.maximum ? 0 : 1;
}
