// Means over seeds, curves over steps, and what is shown of both.
#include "report/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "report/metrics_file.h"
#include "report/page.h"
#include "report/time_series.h"

namespace witan {

namespace {

using nlohmann::json;

constexpr std::int64_t kMaxPoints = 160;

// One figure of the candidates over their seeds. Values that are no numbers (of runs that diverged) are left out.
class Sample {
 public:
  void add(double value) {
    if (std::isfinite(value)) values_.push_back(value);
  }
  double mean() const {
    if (values_.empty()) return kMissing;
    double sum = 0.0;
    for (const double value : values_) sum += value;
    return sum / static_cast<double>(values_.size());
  }
  double deviation() const {
    if (values_.size() < 2) return kMissing;
    double sum = 0.0;
    for (const double value : values_) sum += (value - mean()) * (value - mean());
    return std::sqrt(sum / static_cast<double>(values_.size() - 1));
  }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;
};

// What is told of the routing of one step: the mean over its mixture layers.
struct RoutingFigure {
  const char* name;
  double LayerMetrics::*value;
};
constexpr RoutingFigure kFigures[] = {{"load", &LayerMetrics::max_over_mean},
                                      {"dropped", &LayerMetrics::dropped_share},
                                      {"entropy", &LayerMetrics::router_entropy},
                                      {"dead", &LayerMetrics::dead_experts}};
constexpr std::size_t kNumFigures = std::size(kFigures);

double layer_mean(const StepMetrics& step, const RoutingFigure& figure) {
  Sample layers;
  for (const LayerMetrics& layer : step.layers) layers.add(layer.*figure.value);
  return layers.mean();
}

class CandidateData {
 public:
  explicit CandidateData(std::string label) : label_(std::move(label)) {}
  const std::string& label() const { return label_; }

  void add(const ComparedRun& run) {
    const std::string where = run.result.string();
    const json result = parse_object(read_text_file(run.result), where);
    seeds_.push_back(read_integer(result, "seed", 0, where));
    bits_.add(read_number(result, "bits_per_byte", where));
    loss_.add(read_number(result, "loss", where));
    speed_.add(read_number(result, "tokens_per_second", where));
    parameters_ = read_numbers(result, "parameters", where);
    const std::map<std::string, double> routing = read_numbers(result, "routing", where);
    if (const auto found = routing.find("share"); found != routing.end()) routing_share_.add(found->second);
    if (const auto found = routing.find("microseconds_per_row"); found != routing.end())
      routing_time_.add(found->second);
    if (result.contains("diverged") && !result.at("diverged").is_null()) {
      diverged_.push_back(read_text(result, "diverged", where));
    }
    const MetricsFile metrics(run.metrics);
    if (metrics.num_steps() > 0) add_steps(metrics);
  }

  json to_json() const {
    json object = {{"label", label_},
                   {"seeds", seeds_},
                   {"bits_per_byte", {{"mean", rounded(bits_.mean())}, {"deviation", rounded(bits_.deviation())}}},
                   {"loss", rounded(loss_.mean())},
                   {"tokens_per_second", rounded(speed_.mean())},
                   {"routing_share", rounded(routing_share_.mean())},
                   {"routing_microseconds_per_row", rounded(routing_time_.mean())},
                   {"diverged", diverged_},
                   {"curves", curves_}};
    for (const double bits : bits_.values()) object["bits_per_byte"]["seeds"].push_back(rounded(bits));
    for (const auto& [name, count] : parameters_) object["parameters"][name] = rounded(count);
    for (std::size_t i = 0; i < kNumFigures; ++i) object[kFigures[i].name] = rounded(late_[i].mean());
    return object;
  }

 private:
  // The curves are those of the first seed that has any.
  void add_steps(const MetricsFile& metrics) {
    const std::int64_t steps = metrics.num_steps();
    const Thinning thinning(steps, kMaxPoints);
    TimeSeries step_numbers(thinning.num_points, Keep::kLast);
    TimeSeries bits(thinning.num_points, Keep::kMean);
    std::vector<TimeSeries> figures(kNumFigures, TimeSeries(thinning.num_points, Keep::kMean));
    Sample late[kNumFigures];
    for (std::int64_t i = 0; i < steps; ++i) {
      const StepMetrics step = metrics.step(i);
      const std::int64_t point = thinning.point(i);
      step_numbers.add(point, static_cast<double>(step.step));
      bits.add(point, step.bits_per_byte);
      for (std::size_t f = 0; f < kNumFigures; ++f) {
        const double value = layer_mean(step, kFigures[f]);
        figures[f].add(point, value);
        if (4 * i >= 3 * (steps - 1)) late[f].add(value);
      }
    }
    for (std::size_t f = 0; f < kNumFigures; ++f) late_[f].add(late[f].mean());
    if (!curves_.is_null()) return;
    curves_ = {{"step", step_numbers.to_json()}, {"bits_per_byte", bits.to_json()}};
    for (std::size_t f = 0; f < kNumFigures; ++f) curves_[kFigures[f].name] = figures[f].to_json();
    for (const EvalMetrics& eval : metrics.evals()) {
      curves_["evals"].push_back({{"step", eval.step}, {"bits_per_byte", rounded(eval.all.bits_per_byte)}});
    }
  }

  std::string label_;
  std::vector<std::int64_t> seeds_;
  Sample bits_;
  Sample loss_;
  Sample speed_;
  Sample routing_share_;
  Sample routing_time_;
  Sample late_[kNumFigures];
  std::map<std::string, double> parameters_;
  std::vector<std::string> diverged_;
  json curves_;
};

double value_of(const json& object, const char* key) {
  return object.contains(key) && object.at(key).is_number() ? object.at(key).get<double>() : kMissing;
}

// A number with so many decimals; a dash when there is none.
std::string cell(double value, int decimals, double factor = 1.0) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", factor * value, decimals) : "-";
}

}  // namespace

json comparison_data(const std::string& name, std::span<const ComparedRun> runs) {
  std::vector<CandidateData> candidates;
  for (const ComparedRun& run : runs) {
    auto found = std::find_if(candidates.begin(), candidates.end(),
                              [&](const CandidateData& known) { return known.label() == run.label; });
    if (found == candidates.end()) found = candidates.emplace(candidates.end(), run.label);
    found->add(run);
  }
  json data = {{"name", name}, {"candidates", json::array()}};
  for (const CandidateData& candidate : candidates) data["candidates"].push_back(candidate.to_json());
  return data;
}

std::string comparison_table(const json& data) {
  std::vector<json> sorted = data.at("candidates").get<std::vector<json>>();
  const auto bits = [](const json& candidate) { return value_of(candidate.at("bits_per_byte"), "mean"); };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const json& a, const json& b) {
    return std::isfinite(bits(a)) && (!std::isfinite(bits(b)) || bits(a) < bits(b));
  });
  std::size_t width = 6;
  for (const json& candidate : sorted) width = std::max(width, candidate.at("label").get<std::string>().size());
  std::string text =
      fmt::format("{:<{}}  {:>8} {:>7}  {:>8}  {:>8} {:>7} {:>7} {:>6}  {:>9} {:>7}\n", "router", width, "bits/B", "+-",
                  "tokens/s", "max/mean", "dropped", "entropy", "dead", "active", "routing");
  for (const json& candidate : sorted) {
    const json& spread = candidate.at("bits_per_byte");
    const double active = candidate.contains("parameters") ? value_of(candidate.at("parameters"), "active") : kMissing;
    text += fmt::format("{:<{}}  {:>8} {:>7}  {:>8}  {:>8} {:>6}% {:>7} {:>6}  {:>8}M {:>6}%{}\n",
                        candidate.at("label").get<std::string>(), width, cell(value_of(spread, "mean"), 4),
                        cell(value_of(spread, "deviation"), 4), cell(value_of(candidate, "tokens_per_second"), 0),
                        cell(value_of(candidate, "load"), 2), cell(value_of(candidate, "dropped"), 1, 100.0),
                        cell(value_of(candidate, "entropy"), 2), cell(value_of(candidate, "dead"), 1),
                        cell(active, 3, 1e-6), cell(value_of(candidate, "routing_share"), 1, 100.0),
                        candidate.at("diverged").empty() ? "" : "  diverged");
  }
  return text;
}

void write_comparison(const json& data, const std::filesystem::path& folder) {
  write_file(folder / "comparison.json", data.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  write_file(folder / "comparison.html", fill_page(comparison_template(), data));
}

}  // namespace witan
