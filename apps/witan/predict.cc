// `witan predict`: a model of `witan fit` and a table in; what the model says of each row out.
#include "mixtures/predict.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "mixtures/model_file.h"
#include "witan/commands.h"
#include "witan/options.h"

namespace witan::cli {
namespace {

namespace mx = mixtures;

struct PredictArguments {
  std::string model;
  std::string data;
  std::string output;
  std::string json;
  double interval = 0.9;
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

Table predict_all(const mx::FittedModel& fitted, const mx::Prepared& prepared, double interval) {
  const mx::Frame& frame = fitted.frame;
  const bool classes = frame.target_kind == mx::TargetKind::kClass;
  const bool has_targets = !prepared.data().expert_rows.targets.empty();
  const std::vector<double> levels = {0.5 * (1.0 - interval), 0.5, 0.5 * (1.0 + interval)};
  Table table;
  if (classes) {
    for (const std::string& name : frame.classes) table.names.push_back(fmt::format("probability[{}]", name));
  } else {
    for (const std::string& name : frame.targets) {
      const std::string suffix = frame.targets.size() > 1 ? "[" + name + "]" : "";
      table.names.push_back("mean" + suffix);
      table.names.push_back("sd" + suffix);
    }
    for (const double level : levels) table.names.push_back(fmt::format("q{:.6g}", level));
  }
  for (int k = 1; k <= fitted.model->num_experts(); ++k) table.names.push_back(fmt::format("gate_{}", k));
  if (has_targets) {
    for (int k = 1; k <= fitted.model->num_experts(); ++k) table.names.push_back(fmt::format("responsibility_{}", k));
    table.names.push_back("log_density");
    if (!classes) table.names.push_back("pit");
  }
  const mx::Predictor predictor(*fitted.model, prepared);
  table.rows.resize(static_cast<std::size_t>(prepared.data().count()));
  parallel_for(prepared.data().count(), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const mx::RowPrediction row = predictor.row(n, levels);
      std::vector<double>& values = table.rows[static_cast<std::size_t>(n)];
      for (std::size_t d = 0; d < row.mean.size(); ++d) {
        values.push_back(row.mean[d]);
        if (!classes) values.push_back(row.deviation[d]);
      }
      values.insert(values.end(), row.quantiles.begin(), row.quantiles.end());
      values.insert(values.end(), row.gate.begin(), row.gate.end());
      if (!has_targets) continue;
      values.insert(values.end(), row.posterior.begin(), row.posterior.end());
      values.push_back(row.log_density);
      if (!classes) values.push_back(row.pit);
    }
  });
  return table;
}

void write_csv(std::ostream& out, const Table& table) {
  std::string line;
  for (std::size_t j = 0; j < table.names.size(); ++j) line += (j == 0 ? "" : ",") + csv_name(table.names[j]);
  out << line << '\n';
  for (const std::vector<double>& row : table.rows) {
    line.clear();
    for (std::size_t j = 0; j < row.size(); ++j) line += fmt::format("{}{}", j == 0 ? "" : ",", row[j]);
    out << line << '\n';
  }
}

void run_predict(const PredictArguments& arguments) {
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  const mx::FittedModel fitted = mx::read_model(arguments.model);
  mx::BuiltDesign built =
      mx::apply_design(read_csv(arguments.data), fitted.design, fitted.frame.classes, fitted.frame.target_kind);
  const mx::Prepared prepared = mx::Prepared::under(fitted.frame, std::move(built.sample));
  const Table table = predict_all(fitted, prepared, arguments.interval);
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
      .text("json", arguments->json, "Where to write them as JSON")
      .real("interval", arguments->interval, 0.0, 0.999999, "Probability of the interval between the outer quantiles")
      .integer("threads", arguments->threads, 0, 1024, "Threads to compute with; 0: OMP_NUM_THREADS or all cores");
  bind_fields(*command, "Options", fields);
  command->callback([arguments] { run_predict(*arguments); });
}

}  // namespace witan::cli
