// Lines of metrics.jsonl, and the file they go to.
#include "training/metrics_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace witan {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json layer_json(std::int64_t layer, const MoeMetrics& metrics) {
  return {{"layer", layer},
          {"load", metrics.rows_per_expert},
          {"max_over_mean", number(metrics.max_over_mean_load)},
          {"max_violation", number(metrics.max_violation)},
          {"dropped_share", number(metrics.dropped_share)},
          {"router_entropy", number(metrics.router_entropy)},
          {"dead_experts", metrics.dead_experts},
          {"mean_z", number(metrics.mean_z)}};
}

Json loss_json(const DomainLoss& loss) {
  return {{"loss", number(loss.loss())}, {"bits_per_byte", number(loss.bits_per_byte())}, {"tokens", loss.tokens}};
}

// The text up to step `last`, whole lines only.
std::string lines_up_to(std::string_view text, std::int64_t last) {
  std::string kept;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) continue;
    const auto step = object.find("step");
    if (step != object.end() && step->is_number_integer() && step->get<std::int64_t>() > last) continue;
    kept.append(line).push_back('\n');
  }
  return kept;
}

}  // namespace

std::string run_line(const nlohmann::ordered_json& run) {
  Json line = {{"kind", "run"}};
  line.update(run);
  return line.dump();
}

std::string step_line(const StepReport& report) {
  Json line = {{"kind", "step"},
               {"step", report.step},
               {"tokens", report.tokens},
               {"seconds", number(report.seconds)},
               {"loss", number(report.loss)},
               {"bits_per_byte", number(report.bits_per_byte)},
               {"learning_rate", number(report.learning_rate)},
               {"gradient_norm", number(report.gradient_norm)},
               {"tokens_per_second", number(report.tokens_per_second)}};
  Json& balance = line["balance"] = Json::object();
  for (const auto& [name, value] : report.balance) balance[name] = number(value);
  Json& layers = line["layers"] = Json::array();
  for (std::size_t i = 0; i < report.metrics.size(); ++i) {
    layers.push_back(layer_json(report.moe_layers[i], report.metrics[i]));
  }
  line["peak_memory_bytes"] = report.peak_memory_bytes;
  return line.dump();
}

std::string eval_line(std::int64_t step, const Evaluation& evaluation, const std::vector<std::string>& domains) {
  Json line = {{"kind", "eval"}, {"step", step}};
  line.update(loss_json(evaluation.overall));
  Json& by_domain = line["domains"] = Json::object();
  for (std::size_t d = 0; d < evaluation.domains.size(); ++d) {
    if (evaluation.domains[d].tokens > 0) by_domain[domains[d]] = loss_json(evaluation.domains[d]);
  }
  return line.dump();
}

MetricsLog::MetricsLog(const std::filesystem::path& file, std::int64_t resume_at) : path_(file) {
  std::string kept;
  if (resume_at >= 0 && std::filesystem::exists(file)) kept = lines_up_to(read_text_file(file), resume_at);
  write_file(file, kept);
  out_.open(file, std::ios::app | std::ios::binary);
  if (!out_) fail("{}: cannot be written: {}", file.string(), std::strerror(errno));
}

void MetricsLog::write(const std::string& line) {
  out_ << line << '\n' << std::flush;
  if (!out_) fail("{}: a line could not be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace witan
