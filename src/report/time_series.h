// One quantity over the steps of a run, thinned to a bounded number of points. Every point stands for an equal stretch
// of steps; a run shorter than the bound keeps each of its steps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace witan {

// Which of num_points points step `index` of num_steps belongs to.
struct Thinning {
  Thinning(std::int64_t steps, std::int64_t max_points) : num_steps(steps), num_points(std::min(steps, max_points)) {}
  std::int64_t point(std::int64_t index) const { return index * num_points / num_steps; }

  std::int64_t num_steps;
  std::int64_t num_points;
};

// What a point keeps of the values of its stretch. Values that are not finite are passed over; a point without any
// finite value is null.
enum class Keep { kMean, kLast, kMinimum, kMaximum };

class TimeSeries {
 public:
  TimeSeries(std::int64_t num_points, Keep keep)
      : keep_(keep), values_(static_cast<std::size_t>(num_points)), counts_(values_.size()) {}

  void add(std::int64_t point, double value);
  // False when no finite value was added: the quantity does not exist in this run.
  bool any() const;
  // The points, rounded for the page.
  nlohmann::json to_json() const;

 private:
  Keep keep_;
  std::vector<double> values_;
  std::vector<std::int64_t> counts_;
};

}  // namespace witan
