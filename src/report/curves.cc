// One pass over the steps of a run, adding each to the point of the curves it belongs to.
#include "report/curves.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "report/time_series.h"

namespace witan {
namespace {

using nlohmann::json;

// More points than a wide screen has pixels to draw them in.
constexpr std::int64_t kMaxCurvePoints = 1200;
// The heat map of load over time needs fewer, and its size grows with layers × experts: about a megabyte at most,
// until kMinLayerPoints decides.
constexpr std::int64_t kMaxLayerPoints = 240;
constexpr std::int64_t kMinLayerPoints = 40;
constexpr std::int64_t kLoadCells = 160'000;

struct Column {
  const char* name;
  double StepMetrics::*value;
  Keep keep;
};

// Cumulative counts keep the end of their stretch, so that a point sits where its stretch was finished.
constexpr Column kColumns[] = {
    {"tokens", &StepMetrics::tokens, Keep::kLast},
    {"seconds", &StepMetrics::seconds, Keep::kLast},
    {"loss", &StepMetrics::loss, Keep::kMean},
    {"loss_min", &StepMetrics::loss, Keep::kMinimum},
    {"loss_max", &StepMetrics::loss, Keep::kMaximum},
    {"bits_per_byte", &StepMetrics::bits_per_byte, Keep::kMean},
    {"learning_rate", &StepMetrics::learning_rate, Keep::kMean},
    {"gradient_norm", &StepMetrics::gradient_norm, Keep::kMean},
    {"gradient_norm_max", &StepMetrics::gradient_norm, Keep::kMaximum},
    {"tokens_per_second", &StepMetrics::tokens_per_second, Keep::kMean},
    {"peak_memory_bytes", &StepMetrics::peak_memory_bytes, Keep::kMaximum},
};

struct LayerColumn {
  const char* name;
  double LayerMetrics::*value;
  Keep keep;
};

constexpr LayerColumn kLayerColumns[] = {
    {"max_over_mean", &LayerMetrics::max_over_mean, Keep::kMean},
    {"dropped_share", &LayerMetrics::dropped_share, Keep::kMean},
    {"router_entropy", &LayerMetrics::router_entropy, Keep::kMean},
    {"dead_experts", &LayerMetrics::dead_experts, Keep::kMaximum},
    {"mean_z", &LayerMetrics::mean_z, Keep::kMean},
};

class ModelCurves {
 public:
  explicit ModelCurves(std::int64_t num_steps) : thinning_(num_steps, kMaxCurvePoints), step_(series(Keep::kLast)) {
    for (const Column& column : kColumns) columns_.push_back(series(column.keep));
  }

  void add(std::int64_t index, const StepMetrics& metrics) {
    const std::int64_t point = thinning_.point(index);
    step_.add(point, static_cast<double>(metrics.step));
    for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c].add(point, metrics.*kColumns[c].value);
    for (const auto& [term, value] : metrics.balance) {
      balance_.try_emplace(term, series(Keep::kMean)).first->second.add(point, value);
    }
  }

  json to_json() const {
    json object = {{"step", step_.to_json()}, {"balance", json::object()}};
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].any()) object[kColumns[c].name] = columns_[c].to_json();
    }
    for (const auto& [term, curve] : balance_) {
      if (curve.any()) object["balance"][term] = curve.to_json();
    }
    return object;
  }

 private:
  TimeSeries series(Keep keep) const { return {thinning_.num_points, keep}; }

  Thinning thinning_;
  TimeSeries step_;
  std::vector<TimeSeries> columns_;
  std::map<std::string, TimeSeries> balance_;
};

// One layer. The load of a point is the share of the rows of its whole stretch that went to each expert.
class LayerCurves {
 public:
  LayerCurves(std::int64_t num_points, std::size_t num_experts)
      : step_(num_points, Keep::kLast), load_(static_cast<std::size_t>(num_points), std::vector<double>(num_experts)) {
    for (const LayerColumn& column : kLayerColumns) columns_.emplace_back(num_points, column.keep);
  }

  void add(std::int64_t point, std::int64_t step, const LayerMetrics& metrics) {
    step_.add(point, static_cast<double>(step));
    for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c].add(point, metrics.*kLayerColumns[c].value);
    std::vector<double>& rows = load_[static_cast<std::size_t>(point)];
    for (std::size_t expert = 0; expert < rows.size(); ++expert) rows[expert] += metrics.load.at(expert);
  }

  json to_json(std::int64_t layer) const {
    json object = {{"layer", layer}, {"experts", load_.front().size()}, {"step", step_.to_json()}};
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].any()) object[kLayerColumns[c].name] = columns_[c].to_json();
    }
    json& load = object["load"] = json::array();
    for (const std::vector<double>& rows : load_) {
      double sum = 0;
      for (const double row : rows) sum += row;
      json shares = json::array();
      for (const double row : rows) shares.push_back(rounded(sum > 0 ? row / sum : kMissing));
      load.push_back(std::move(shares));
    }
    return object;
  }

 private:
  TimeSeries step_;
  std::vector<TimeSeries> columns_;
  std::vector<std::vector<double>> load_;  // points × experts, rows
};

std::int64_t num_load_cells(const StepMetrics& metrics) {
  std::size_t cells = 1;
  for (const LayerMetrics& layer : metrics.layers) cells += layer.load.size();
  return static_cast<std::int64_t>(cells);
}

}  // namespace

json curves(const MetricsFile& metrics) {
  const std::int64_t num_steps = metrics.num_steps();
  WITAN_ASSERT(num_steps > 0);
  const std::int64_t affordable = kLoadCells / num_load_cells(metrics.step(num_steps - 1));
  const Thinning thinning(num_steps, std::clamp(affordable, kMinLayerPoints, kMaxLayerPoints));
  ModelCurves model(num_steps);
  std::map<std::int64_t, LayerCurves> layers;
  for (std::int64_t index = 0; index < num_steps; ++index) {
    const StepMetrics step = metrics.step(index);
    model.add(index, step);
    for (const LayerMetrics& layer : step.layers) {
      layers.try_emplace(layer.layer, thinning.num_points, layer.load.size())
          .first->second.add(thinning.point(index), step.step, layer);
    }
  }
  json result = {{"steps", model.to_json()}, {"layers", json::array()}};
  for (const auto& [layer, curve] : layers) result["layers"].push_back(curve.to_json(layer));
  return result;
}

}  // namespace witan
