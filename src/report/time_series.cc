// Running aggregates, so that no value is kept longer than its point needs.
#include "report/time_series.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/json_field.h"

namespace witan {

void TimeSeries::add(std::int64_t point, double value) {
  if (!std::isfinite(value)) return;
  const auto at = static_cast<std::size_t>(point);
  double& kept = values_.at(at);
  const bool first = counts_[at]++ == 0;
  switch (keep_) {
    case Keep::kMean:
      kept += (value - kept) / static_cast<double>(counts_[at]);
      break;
    case Keep::kLast:
      kept = value;
      break;
    case Keep::kMinimum:
      kept = first ? value : std::min(kept, value);
      break;
    case Keep::kMaximum:
      kept = first ? value : std::max(kept, value);
      break;
  }
}

bool TimeSeries::any() const {
  return std::any_of(counts_.begin(), counts_.end(), [](std::int64_t count) { return count > 0; });
}

nlohmann::json TimeSeries::to_json() const {
  nlohmann::json points = nlohmann::json::array();
  for (std::size_t at = 0; at < values_.size(); ++at)
    points.push_back(rounded(counts_[at] == 0 ? kMissing : values_[at]));
  return points;
}

}  // namespace witan
