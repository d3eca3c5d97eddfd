// How far a mixture's probabilities can be believed: scores and diagrams of its distributions against the targets that
// came. Not a test of significance.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "mixtures/model.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {

constexpr int kPitBins = 20;
constexpr int kReliabilityBins = 15;
constexpr std::array<double, 4> kCoverageLevels = {0.5, 0.8, 0.9, 0.95};
// Of larger tables, rows at equal distances are scored.
constexpr std::int64_t kMostScoredRows = 1'000'000;

// Rows whose largest class probability falls into one of 15 equal bins (Guo et al. 2017).
struct ReliabilityBin {
  double weight = 0.0;
  double confidence = 0.0;  // mean of that probability
  double accuracy = 0.0;    // how often it was that class
};

struct Calibration {
  std::int64_t rows = 0;  // scored
  double nll = 0.0;       // mean of -log f, in the user's units

  // Of targets that are numbers or counts; the first of several.
  double rmse = 0.0;
  std::optional<double> crps;  // of one target, where the family has a closed form
  // Shares of F(y | x) in 20 equal bins: 1/20 each when the distributions are right. A count spreads over all that F
  // jumps by (Czado, Gneiting & Held 2009).
  std::array<double, kPitBins> pit{};
  // Shares of targets within the central intervals of kCoverageLevels.
  std::array<double, kCoverageLevels.size()> coverage{};

  // Of classes.
  double accuracy = 0.0;
  double brier = 0.0;  // mean squared distance to the indicator of the class, summed over classes (0 to 2)
  double expected_calibration_error = 0.0;
  std::array<ReliabilityBin, kReliabilityBins> reliability{};
};

// Weighted by the case weights. The rows must hold their targets.
Calibration calibrate(const Model& model, const Prepared& rows);

}  // namespace witan::mixtures
