// `witan predict`: a model of `witan fit` and a table in; what the model says of each row out.
#include "mixtures/predict.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/random.h"
#include "mixtures/model_file.h"
#include "mixtures/report_json.h"
#include "mixtures/row_distribution.h"
#include "witan/commands.h"
#include "witan/lists.h"
#include "witan/options.h"
#include "witan/output_file.h"
#include "witan/table_options.h"

namespace witan::cli {
namespace {

namespace mx = mixtures;

struct PredictArguments {
  std::string model;
  std::string data;
  TableOptions table;
  std::string output;
  std::string json;
  double interval = 0.9;
  std::string quantiles;
  std::string at;
  std::int64_t samples = 0;
  std::int64_t seed = 1;
  bool modes = false;
  std::int64_t threads = 0;
};

// Column names and values row by row, the same for CSV and JSON.
struct Table {
  std::vector<std::string> names;
  std::vector<std::vector<double>> rows;
};

std::string csv_name(const std::string& name) {
  if (name.find_first_of(",\"\n") == std::string::npos) return name;
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// What is asked for besides the usual columns.
struct Extras {
  std::vector<double> levels;  // of quantiles
  std::vector<double> at;      // values of the target, for density and distribution function
  std::int64_t samples = 0;
  std::uint64_t seed = 0;
  bool modes = false;

  bool of_rows() const { return !at.empty() || modes || samples > 0; }  // needs more of a row than its prediction
};

std::vector<double> numbers_of(const std::string& option, const std::string& text, double low, double high) {
  std::vector<double> values;
  if (text.empty()) return values;
  for (const std::string& part : split_list(text)) {
    double value = low;
    Fields fields("predict");
    fields.real(option, value, low, high, "");
    fields.find(option).set(part);
    values.push_back(value);
  }
  return values;
}

Extras extras_of(const PredictArguments& arguments, const mx::Frame& frame) {
  constexpr double kAny = std::numeric_limits<double>::max();
  Extras extras;
  extras.levels = {0.5 * (1.0 - arguments.interval), 0.5, 0.5 * (1.0 + arguments.interval)};
  for (const double level : numbers_of("quantiles", arguments.quantiles, 1e-9, 1.0 - 1e-9))
    extras.levels.push_back(level);
  std::sort(extras.levels.begin(), extras.levels.end());
  extras.levels.erase(std::unique(extras.levels.begin(), extras.levels.end()), extras.levels.end());
  extras.at = numbers_of("at", arguments.at, -kAny, kAny);
  extras.samples = arguments.samples;
  extras.seed = static_cast<std::uint64_t>(arguments.seed);
  extras.modes = arguments.modes;
  const bool one_number = frame.target_kind != mx::TargetKind::kClass && frame.targets.size() == 1;
  if (!one_number && (extras.modes || !extras.at.empty())) {
    fail("predict.{}: needs a single target that is a number", extras.modes ? "modes" : "at");
  }
  return extras;
}

std::vector<std::string> column_names(const mx::FittedModel& fitted, const Extras& extras, bool has_targets) {
  const mx::Frame& frame = fitted.frame;
  const bool classes = frame.target_kind == mx::TargetKind::kClass;
  const int experts = fitted.model->num_experts();
  std::vector<std::string> names;
  const auto of_targets = [&](const std::string& what) {
    for (const std::string& name : frame.targets)
      names.push_back(frame.targets.size() > 1 ? fmt::format("{}[{}]", what, name) : what);
  };
  if (classes) {
    for (const std::string& name : frame.classes) names.push_back(fmt::format("probability[{}]", name));
  } else {
    for (const std::string& name : frame.targets) {
      const std::string suffix = frame.targets.size() > 1 ? "[" + name + "]" : "";
      names.push_back("mean" + suffix);
      names.push_back("sd" + suffix);
    }
    for (const double level : extras.levels) names.push_back(fmt::format("q{:.6g}", level));
  }
  for (const double y : extras.at) {
    names.push_back(fmt::format("density({})", y));
    names.push_back(fmt::format("cdf({})", y));
  }
  for (int k = 1; extras.modes && k <= experts; ++k) names.push_back(fmt::format("mode_{}", k));
  for (std::int64_t i = 1; i <= extras.samples; ++i) of_targets(fmt::format("sample_{}", i));
  for (int k = 1; k <= experts; ++k) names.push_back(fmt::format("gate_{}", k));
  if (has_targets) {
    for (int k = 1; k <= experts; ++k) names.push_back(fmt::format("responsibility_{}", k));
    names.emplace_back("log_density");
    if (!classes) names.emplace_back("pit");
  }
  return names;
}

void add_extras(const mx::RowDistribution& distribution, const Extras& extras, std::size_t experts, std::int64_t row,
                std::vector<double>& values) {
  for (const double y : extras.at) {
    values.push_back(std::exp(distribution.log_density(std::vector<double>{y})));
    values.push_back(distribution.cdf(y));
  }
  if (extras.modes) {
    std::vector<double> modes = distribution.modes();
    modes.resize(experts, std::numeric_limits<double>::quiet_NaN());  // there may be fewer than experts
    values.insert(values.end(), modes.begin(), modes.end());
  }
  // A row draws the same whatever rows stand around it in its thread.
  Random random(extras.seed, static_cast<std::uint64_t>(row));
  for (std::int64_t i = 0; i < extras.samples; ++i) {
    for (const double value : distribution.draw(random)) values.push_back(value);
  }
}

Table predict_all(const mx::FittedModel& fitted, const mx::Prepared& prepared, const Extras& extras) {
  const bool classes = fitted.frame.target_kind == mx::TargetKind::kClass;
  const bool has_targets = !prepared.data().expert_rows.targets.empty();
  Table table;
  table.names = column_names(fitted, extras, has_targets);
  const mx::Predictor predictor(*fitted.model, prepared);
  table.rows.resize(static_cast<std::size_t>(prepared.data().count()));
  parallel_for(prepared.data().count(), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const mx::RowPrediction row = predictor.row(n, extras.levels);
      std::vector<double>& values = table.rows[static_cast<std::size_t>(n)];
      for (std::size_t d = 0; d < row.mean.size(); ++d) {
        values.push_back(row.mean[d]);
        if (!classes) values.push_back(row.deviation[d]);
      }
      values.insert(values.end(), row.quantiles.begin(), row.quantiles.end());
      if (extras.of_rows()) {
        add_extras(mx::RowDistribution(*fitted.model, prepared, n), extras, row.gate.size(), n, values);
      }
      values.insert(values.end(), row.gate.begin(), row.gate.end());
      if (!has_targets) continue;
      values.insert(values.end(), row.posterior.begin(), row.posterior.end());
      values.push_back(row.log_density);
      if (!classes) values.push_back(row.pit);
    }
  });
  return table;
}

// What does not exist (a further mode) is left empty.
std::string csv_value(double value) { return std::isnan(value) ? "" : fmt::format("{}", value); }

void write_csv(std::ostream& out, const Table& table) {
  std::string line;
  for (std::size_t j = 0; j < table.names.size(); ++j) line += (j == 0 ? "" : ",") + csv_name(table.names[j]);
  out << line << '\n';
  for (const std::vector<double>& row : table.rows) {
    line.clear();
    for (std::size_t j = 0; j < row.size(); ++j) line += (j == 0 ? "" : ",") + csv_value(row[j]);
    out << line << '\n';
  }
}

void run_predict(const PredictArguments& arguments) {
  require_writable(arguments.output);
  require_writable(arguments.json);
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  const mx::FittedModel fitted = mx::read_model(arguments.model);
  const Extras extras = extras_of(arguments, fitted.frame);
  mx::BuiltDesign built = mx::apply_design(read_csv(arguments.data, arguments.table.csv()), fitted.design,
                                           fitted.frame.classes, fitted.frame.target_kind);
  const mx::Prepared prepared = mx::Prepared::under(fitted.frame, std::move(built.sample));
  const Table table = predict_all(fitted, prepared, extras);
  const auto write = [&](std::ostream& out) { write_csv(out, table); };
  if (arguments.output.empty()) {
    if (arguments.json.empty()) write(std::cout);
  } else {
    write_file(arguments.output, write);
  }
  if (arguments.json.empty()) return;
  nlohmann::json json = {{"interval", arguments.interval}, {"columns", table.names}, {"rows", nlohmann::json::array()}};
  for (const std::vector<double>& row : table.rows) {
    nlohmann::json values = nlohmann::json::array();
    for (const double value : row)
      values.push_back(std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr));
    json["rows"].push_back(std::move(values));
  }
  if (!prepared.data().expert_rows.targets.empty() && prepared.data().count() > 0) {
    json["calibration"] = mx::calibration_json(mx::calibrate(*fitted.model, prepared), fitted.frame);
  }
  write_file(arguments.json, json.dump(1) + "\n");
}

}  // namespace

void add_predict(CLI::App& app) {
  const auto arguments = std::make_shared<PredictArguments>();
  CLI::App* command = app.add_subcommand("predict", "Say what a mixture of `witan fit` expects of the rows of a table");
  command->add_option("model", arguments->model, "What `witan fit --output` wrote")->required()->type_name("MODEL");
  command->add_option("data", arguments->data, "A table with the inputs; with the targets too, densities are added")
      ->required()
      ->type_name("FILE");
  Fields fields("predict");
  fields.text("output", arguments->output, "Where to write the predictions, as CSV; else standard output")
      .text("json", arguments->json, "Where to write them as JSON; with calibration where the table has the targets")
      .real("interval", arguments->interval, 0.0, 0.999999, "Probability of the interval between the outer quantiles")
      .text("quantiles", arguments->quantiles, "Further quantiles, as probabilities with commas: 0.01,0.99")
      .text("at", arguments->at, "Values of the target at which to give density and distribution function")
      .flag("modes", arguments->modes, "Add the modes of each row's distribution")
      .integer("samples", arguments->samples, 0, 1'000'000, "Draws of the target for each row")
      .integer("seed", arguments->seed, 0, std::int64_t{1} << 53, "Decides the draws");
  bind_fields(*command, "Options", fields);
  bind_threads(*command, arguments->threads);
  bind_fields(*command, "Table", arguments->table.fields());
  command->callback([arguments] { run_predict(*arguments); });
}

}  // namespace witan::cli
