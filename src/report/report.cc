// Gathers the files of a run folder into the data of one page. Checks all of them before anything is written.
#include "report/report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "report/analysis_file.h"
#include "report/curves.h"
#include "report/metrics_file.h"
#include "report/page.h"

namespace witan {
namespace {

using nlohmann::json;

// Deeper nesting than any config of ours, and far from the depth at which writing it out would exhaust the stack.
constexpr int kMaxSettingsDepth = 8;

// {"router": {"top_k": 2}} becomes {"router.top_k": 2}.
void flatten(const json& value, const std::string& name, int depth, json& flat) {
  if (depth > kMaxSettingsDepth) fail("report: setting \"{}\" is nested more than {} deep", name, kMaxSettingsDepth);
  if (value.is_object()) {
    for (const auto& [key, entry] : value.items()) {
      flatten(entry, name.empty() ? key : fmt::format("{}.{}", name, key), depth + 1, flat);
    }
  } else if (value.is_array()) {
    json list = json::array();
    for (const json& entry : value) {
      if (entry.is_structured()) fail("report: setting \"{}\" is a list of lists or objects", name);
      list.push_back(entry);
    }
    flat[name] = std::move(list);
  } else {
    flat[name] = value;
  }
}

json flat_settings(const json& run, const std::filesystem::path& run_folder) {
  const std::filesystem::path file = run_folder / "settings.json";
  json settings = run.is_object() ? run.value("settings", json()) : json();
  if (!settings.is_object() && std::filesystem::exists(file))
    settings = parse_object(read_text_file(file), file.string());
  json flat = json::object();
  if (settings.is_object()) flatten(settings, "", 0, flat);
  return flat;
}

json score_json(const EvalMetrics::Score& score) {
  return {{"loss", rounded(score.loss)}, {"bits_per_byte", rounded(score.bits_per_byte)}};
}

json evals_json(const std::vector<EvalMetrics>& evals) {
  json list = json::array();
  for (const EvalMetrics& eval : evals) {
    json entry = score_json(eval.all);
    entry["step"] = eval.step;
    entry["domains"] = json::object();
    for (const auto& [domain, score] : eval.domains) entry["domains"][domain] = score_json(score);
    list.push_back(std::move(entry));
  }
  return list;
}

json run_json(const MetricsFile& metrics, const std::filesystem::path& run_folder, const std::string& where) {
  const json run = metrics.run();
  json result = {{"settings", flat_settings(run, run_folder)},
                 {"resumed", std::max<std::int64_t>(metrics.num_runs() - 1, 0)}};
  if (run.is_null()) return result;
  const std::map<std::string, double> parameters = read_numbers(run, "parameters", where);
  for (const auto& [name, count] : parameters) result["parameters"][name] = rounded(count);
  result["domains"] = read_names(run, "domains", where);
  for (const char* key : {"train_bytes", "heldout_bytes", "threads"})
    result[key] = rounded(read_number(run, key, where));
  if (run.contains("started")) result["started"] = read_text(run, "started", where);
  return result;
}

std::string run_name(const std::filesystem::path& run_folder) {
  return std::filesystem::weakly_canonical(run_folder).filename().string();
}

}  // namespace

json report_data(const std::filesystem::path& run_folder) {
  const std::filesystem::path metrics_path = run_folder / "metrics.jsonl";
  const std::filesystem::path analysis_path = run_folder / "analysis.json";
  if (!std::filesystem::exists(metrics_path)) {
    fail("report: {} has no metrics.jsonl: expected the folder that witan train --output wrote", run_folder.string());
  }
  const MetricsFile metrics(metrics_path);
  if (metrics.num_steps() == 0) {
    fail("report: {} holds no training step yet: nothing to show", metrics_path.string());
  }
  json data = curves(metrics);
  data["name"] = run_name(run_folder);
  data["run"] = run_json(metrics, run_folder, metrics_path.string());
  data["evals"] = evals_json(metrics.evals());
  data["analysis"] = std::filesystem::exists(analysis_path) ? read_analysis(analysis_path) : json();
  return data;
}

void write_report(const std::filesystem::path& run_folder, const std::filesystem::path& output) {
  const std::string page = fill_page(report_template(), report_data(run_folder));
  write_file(output, page);
}

}  // namespace witan
