// Field by field. Numbers that do not exist are null.
#include "mixtures/report_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace witan::mixtures {
namespace {

using Json = nlohmann::json;

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(finite_or_null(value));
  return list;
}

Json curves(const std::vector<std::vector<double>>& all) {
  Json list = Json::array();
  for (const std::vector<double>& one : all) list.push_back(numbers(one));
  return list;
}

}  // namespace

Json calibration_json(const Calibration& calibration, const Frame& frame) {
  Json json = {{"rows", calibration.rows}, {"nll", finite_or_null(calibration.nll)}};
  if (frame.target_kind == TargetKind::kClass) {
    json["accuracy"] = calibration.accuracy;
    json["brier"] = calibration.brier;
    json["ece"] = calibration.expected_calibration_error;
    json["reliability"] = Json::array();
    for (std::size_t i = 0; i < calibration.reliability.size(); ++i) {
      const ReliabilityBin& bin = calibration.reliability[i];
      const bool empty = bin.weight == 0.0;
      json["reliability"].push_back({{"low", static_cast<double>(i) / kReliabilityBins},
                                     {"high", static_cast<double>(i + 1) / kReliabilityBins},
                                     {"weight", bin.weight},
                                     {"confidence", empty ? Json(nullptr) : Json(bin.confidence)},
                                     {"accuracy", empty ? Json(nullptr) : Json(bin.accuracy)}});
    }
    return json;
  }
  json["rmse"] = finite_or_null(calibration.rmse);
  json["crps"] = calibration.crps ? finite_or_null(*calibration.crps) : Json(nullptr);
  if (!calibration.crps) {
    json["crps_reason"] = frame.targets.size() > 1 ? "there are several targets" : "no closed form for this family";
  }
  json["pit"] = Json::array();
  for (std::size_t i = 0; i < calibration.pit.size(); ++i) {
    json["pit"].push_back({{"low", static_cast<double>(i) / kPitBins},
                           {"high", static_cast<double>(i + 1) / kPitBins},
                           {"share", finite_or_null(calibration.pit[i])}});
  }
  json["coverage"] = Json::array();
  for (std::size_t i = 0; i < kCoverageLevels.size(); ++i)
    json["coverage"].push_back({{"level", kCoverageLevels[i]}, {"share", finite_or_null(calibration.coverage[i])}});
  return json;
}

Json portrait_json(const Portrait& portrait, const Backdrop& backdrop) {
  Json json = {{"inputs", Json::array()}, {"profiles", Json::array()},   {"maps", Json::array()},
               {"rows", Json::array()},   {"of_rows", backdrop.of_rows}, {"band_levels", kBandLevels}};
  for (const TableInput& input : backdrop.inputs) {
    json["inputs"].push_back({{"name", input.name},
                              {"levels", input.levels},
                              {"low", input.low},
                              {"high", input.high},
                              {"usual", input.usual}});
  }
  for (const Profile& profile : portrait.profiles) {
    json["profiles"].push_back({{"input", profile.input},
                                {"at", profile.at},
                                {"gate", curves(profile.gate)},
                                {"means", curves(profile.means)},
                                {"experts", curves(profile.experts)},
                                {"quantiles", curves(profile.quantiles)},
                                {"influence", profile.influence}});
  }
  for (const GateMap& map : portrait.maps) {
    json["maps"].push_back(
        {{"x", map.x}, {"y", map.y}, {"at_x", map.at_x}, {"at_y", map.at_y}, {"gate", curves(map.gate)}});
  }
  for (const SeenRow& row : portrait.rows) {
    json["rows"].push_back({{"inputs", numbers(row.inputs)},
                            {"target", row.target},
                            {"mean", finite_or_null(row.mean)},
                            {"deviation", finite_or_null(row.deviation)},
                            {"pit", finite_or_null(row.pit)},
                            {"residual", finite_or_null(row.residual)},
                            {"posterior", numbers(row.posterior)}});
  }
  return json;
}

}  // namespace witan::mixtures
