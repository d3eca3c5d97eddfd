// The lines of metrics.jsonl: read once to check them, and again, one at a time, when their numbers are wanted.
#include "report/metrics_file.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace {

using nlohmann::json;

LayerMetrics read_layer(const json& record, std::string_view where) {
  LayerMetrics layer;
  layer.layer = read_integer(record, "layer", 0, where);
  layer.load = read_amounts(record, "load", where);
  layer.max_over_mean = read_number(record, "max_over_mean", where);
  layer.dropped_share = read_number(record, "dropped_share", where);
  layer.router_entropy = read_number(record, "router_entropy", where);
  layer.dead_experts = read_number(record, "dead_experts", where);
  layer.mean_z = read_number(record, "mean_z", where);
  return layer;
}

StepMetrics read_step(const json& record, std::string_view where) {
  StepMetrics metrics;
  metrics.step = read_integer(record, "step", 0, where);
  metrics.tokens = read_number(record, "tokens", where);
  metrics.seconds = read_number(record, "seconds", where);
  metrics.loss = read_number(record, "loss", where);
  metrics.bits_per_byte = read_number(record, "bits_per_byte", where);
  metrics.learning_rate = read_number(record, "learning_rate", where);
  metrics.gradient_norm = read_number(record, "gradient_norm", where);
  metrics.tokens_per_second = read_number(record, "tokens_per_second", where);
  metrics.peak_memory_bytes = read_number(record, "peak_memory_bytes", where);
  metrics.balance = read_numbers(record, "balance", where);
  for (const json& layer : read_objects(record, "layers", where)) metrics.layers.push_back(read_layer(layer, where));
  return metrics;
}

EvalMetrics::Score read_score(const json& record, std::string_view where) {
  return {read_number(record, "loss", where), read_number(record, "bits_per_byte", where)};
}

EvalMetrics read_eval(const json& record, std::string_view where) {
  EvalMetrics metrics;
  metrics.step = read_integer(record, "step", 0, where);
  metrics.all = read_score(record, where);
  const auto domains = record.find("domains");
  if (domains == record.end()) return metrics;
  if (!domains->is_object()) fail("{}: \"domains\" is a JSON {}, expected an object", where, domains->type_name());
  for (const auto& [name, score] : domains->items()) {
    if (!score.is_object()) fail("{}: domain \"{}\" is a JSON {}, expected an object", where, name, score.type_name());
    metrics.domains[name] = read_score(score, where);
  }
  return metrics;
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path) : name_(path.string()), file_(path) {
  const std::string_view text = file_.text();
  Line line;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const bool finished = newline != std::string_view::npos;
    const std::size_t end = finished ? newline : text.size();
    line = {line.number + 1, text.substr(begin, end - begin)};
    begin = end + 1;
    if (line.text.find_first_not_of(" \t\r") != std::string_view::npos) read(line, finished);
  }
}

std::string MetricsFile::where(const Line& line) const { return fmt::format("{}:{}", name_, line.number); }

void MetricsFile::read(const Line& line, bool finished) {
  if (!finished && !json::accept(line.text)) return;
  const std::string at = where(line);
  const json record = parse_object(line.text, at);
  const std::string kind = read_text(record, "kind", at);
  if (kind == "run") {
    run_ = line;
    ++num_runs_;
  } else if (kind == "step") {
    const StepMetrics metrics = read_step(record, at);
    check_experts(metrics, line);
    while (!steps_.empty() && steps_.back().step >= metrics.step) steps_.pop_back();
    while (!evals_.empty() && evals_.back().step > metrics.step) evals_.pop_back();
    steps_.push_back({metrics.step, line});
  } else if (kind == "eval") {
    EvalMetrics metrics = read_eval(record, at);
    while (!evals_.empty() && evals_.back().step >= metrics.step) evals_.pop_back();
    evals_.push_back(std::move(metrics));
  }
}

void MetricsFile::check_experts(const StepMetrics& metrics, const Line& line) {
  for (const LayerMetrics& layer : metrics.layers) {
    const auto [known, added] = experts_of_layer_.emplace(layer.layer, layer.load.size());
    if (known->second != layer.load.size()) {
      fail("{}: layer {} has a load of {} experts, expected {} as on the lines before", where(line), layer.layer,
           layer.load.size(), known->second);
    }
  }
}

StepMetrics MetricsFile::step(std::int64_t index) const {
  const Line& line = steps_.at(static_cast<std::size_t>(index)).line;
  const std::string at = where(line);
  return read_step(parse_object(line.text, at), at);
}

json MetricsFile::run() const { return num_runs_ == 0 ? json() : parse_object(run_.text, where(run_)); }

}  // namespace witan
