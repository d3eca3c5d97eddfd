// Sums over rows of what each row's distribution says of its target.
#include "mixtures/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "mixtures/row_distribution.h"

namespace witan::mixtures {
namespace {

constexpr std::int64_t kPieces = 64;

// Sums, until divide() makes means of them.
struct Sums {
  Calibration of;
  double weight = 0.0;
  double crps = 0.0;

  void add(const RowDistribution& row, TargetKind kind, double c) {
    const std::vector<double> targets = row.own_targets();
    weight += c;
    of.nll -= c * row.log_density(targets);
    if (kind == TargetKind::kClass) {
      add_class(row.mean(), static_cast<std::size_t>(targets[0]), c);
    } else {
      add_number(row, kind, targets[0], c);
    }
  }

  void add_class(const std::vector<double>& probabilities, std::size_t truth, double c) {
    double squares = 0.0;
    for (std::size_t j = 0; j < probabilities.size(); ++j) {
      const double distance = probabilities[j] - (j == truth ? 1.0 : 0.0);
      squares += distance * distance;
    }
    of.brier += c * squares;
    const auto likeliest = std::max_element(probabilities.begin(), probabilities.end());
    const double right = static_cast<std::size_t>(likeliest - probabilities.begin()) == truth ? 1.0 : 0.0;
    of.accuracy += c * right;
    ReliabilityBin& bin = of.reliability[static_cast<std::size_t>(
        std::min(kReliabilityBins - 1, static_cast<int>(*likeliest * kReliabilityBins)))];
    bin.weight += c;
    bin.confidence += c * *likeliest;
    bin.accuracy += c * right;
  }

  void add_number(const RowDistribution& row, TargetKind kind, double y, double c) {
    const double distance = y - row.mean()[0];
    of.rmse += c * distance * distance;
    if (const std::optional<double> score = row.crps(y)) crps += c * *score;
    const double above = row.cdf(y);
    const double below = kind == TargetKind::kCount ? row.cdf(y - 1.0) : above;
    for (std::size_t i = 0; i < kCoverageLevels.size(); ++i) {
      const double tail = 0.5 * (1.0 - kCoverageLevels[i]);
      if (above >= tail && below <= 1.0 - tail) of.coverage[i] += c;
    }
    const auto bin_of = [](double u) { return std::clamp(static_cast<int>(u * kPitBins), 0, kPitBins - 1); };
    for (int b = bin_of(below); b <= bin_of(above); ++b) {
      const double low = std::max(below, static_cast<double>(b) / kPitBins);
      const double high = std::min(above, static_cast<double>(b + 1) / kPitBins);
      of.pit[static_cast<std::size_t>(b)] += above > below ? c * std::max(0.0, high - low) / (above - below) : c;
    }
  }

  void add(const Sums& other) {
    weight += other.weight;
    crps += other.crps;
    of.nll += other.of.nll;
    of.rmse += other.of.rmse;
    of.accuracy += other.of.accuracy;
    of.brier += other.of.brier;
    for (std::size_t i = 0; i < of.pit.size(); ++i) of.pit[i] += other.of.pit[i];
    for (std::size_t i = 0; i < of.coverage.size(); ++i) of.coverage[i] += other.of.coverage[i];
    for (std::size_t i = 0; i < of.reliability.size(); ++i) {
      of.reliability[i].weight += other.of.reliability[i].weight;
      of.reliability[i].confidence += other.of.reliability[i].confidence;
      of.reliability[i].accuracy += other.of.reliability[i].accuracy;
    }
  }

  void divide() {
    of.nll /= weight;
    of.rmse = std::sqrt(of.rmse / weight);
    of.accuracy /= weight;
    of.brier /= weight;
    for (double& share : of.pit) share /= weight;
    for (double& share : of.coverage) share /= weight;
    for (ReliabilityBin& bin : of.reliability) {
      of.expected_calibration_error += std::fabs(bin.accuracy - bin.confidence) / weight;
      if (bin.weight == 0.0) continue;
      bin.confidence /= bin.weight;
      bin.accuracy /= bin.weight;
    }
  }
};

}  // namespace

Calibration calibrate(const Model& model, const Prepared& rows) {
  const Data& data = rows.data();
  WITAN_ASSERT(!data.expert_rows.targets.empty());
  const TargetKind kind = rows.frame().target_kind;
  const std::int64_t scored = std::min(data.count(), kMostScoredRows);
  // Pieces by number of rows alone, added up in their order: the same bits for any number of threads.
  std::vector<Sums> pieces(kPieces);
  parallel_for(kPieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      Sums& sums = pieces[static_cast<std::size_t>(piece)];
      for (std::int64_t i = piece * scored / kPieces; i < (piece + 1) * scored / kPieces; ++i) {
        const std::int64_t n = scored == data.count() ? i : i * (data.count() / scored);
        sums.add(RowDistribution(model, rows, n), kind, data.weights == nullptr ? 1.0 : data.weights[n]);
      }
    }
  });
  Sums total;
  for (const Sums& sums : pieces) total.add(sums);
  total.divide();
  total.of.rows = scored;
  const bool scored_closed = model.experts().has_mean_distances() && rows.frame().targets.size() == 1;
  if (scored_closed) total.of.crps = total.crps / total.weight;
  return total.of;
}

}  // namespace witan::mixtures
