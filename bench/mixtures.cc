// How long a mixture of two regressions on ten inputs takes to fit, from a random start to its certificate, at growing
// numbers of rows, and the memory of the whole process over that of the table. Run: build/release/bench/bench_mixtures
// [largest number of rows, 1000000]
#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/parallel.h"
#include "base/random.h"
#include "mixtures/fit.h"

namespace {

constexpr int kInputs = 10;

// Gate logits, coefficients and noise drawn like those of tests/golden/mixtures/synth.py.
witan::mixtures::Sample draw(std::int64_t rows) {
  witan::Random random(/*seed=*/2);
  const auto uniform = [&](double size) { return size * (2.0 * random.uniform_open() - 1.0); };
  double gate[kInputs + 1];
  double lines[2][kInputs + 1];
  for (double& value : gate) value = uniform(1.0);
  for (auto& line : lines) {
    for (double& value : line) value = uniform(2.0);
  }
  witan::mixtures::Sample sample;
  sample.targets = {{"y", {}}};
  sample.targets[0].values.resize(static_cast<std::size_t>(rows));
  for (int j = 0; j < kInputs; ++j) {
    sample.columns.push_back({"x" + std::to_string(j + 1), std::vector<double>(static_cast<std::size_t>(rows))});
    sample.expert_inputs.push_back(j);
    sample.gate_inputs.push_back(j);
  }
  for (std::size_t n = 0; n < static_cast<std::size_t>(rows); ++n) {
    double logit = gate[0];
    double means[2] = {lines[0][0], lines[1][0]};
    for (std::size_t j = 0; j < kInputs; ++j) {
      const double x = random.normal();
      sample.columns[j].values[n] = x;
      logit += gate[j + 1] * x;
      for (std::size_t k = 0; k < 2; ++k) means[k] += lines[k][j + 1] * x;
    }
    const int expert = random.uniform_open() < 1.0 / (1.0 + std::exp(-logit)) ? 1 : 0;
    sample.targets[0].values[n] = means[expert] + (expert == 0 ? 0.5 : 1.0) * random.normal();
  }
  return sample;
}

// The most that the process has held so far, in bytes.
double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t largest = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
  fmt::print("{} threads\n{:>10} {:>9} {:>12} {:>6} {:>11}  {}\n", witan::num_threads(), "rows", "seconds",
             "ns per row", "steps", "peak / data", "log-likelihood");
  for (std::int64_t rows = 10'000; rows <= largest; rows *= 10) {
    witan::mixtures::Sample sample = draw(rows);
    witan::mixtures::FitOptions options;
    options.restarts = 1;
    options.start = "random";
    const auto begin = std::chrono::steady_clock::now();
    const witan::mixtures::Fit fit = witan::mixtures::fit_mixture(std::move(sample), options);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double data = static_cast<double>(rows) * (kInputs + 1) * sizeof(double);
    fmt::print("{:>10} {:>9.3f} {:>12.1f} {:>6} {:>11.2f}  {:.4f}{}\n", rows, seconds,
               1e9 * seconds / static_cast<double>(rows), fit.restarts.front().iterations, peak_memory() / data,
               fit.log_likelihood, fit.certificate.maximum ? "" : "  NOT A MAXIMUM");
  }
  return 0;
}
