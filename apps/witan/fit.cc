// `witan fit`: a table in; a mixture of experts, its coefficients and its certificate out.
#include "mixtures/fit.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/suggest.h"
#include "mixtures/design.h"
#include "mixtures/families.h"
#include "mixtures/model_file.h"
#include "witan/commands.h"
#include "witan/fit_table.h"
#include "witan/lists.h"
#include "witan/options.h"

namespace witan::cli {
namespace {

namespace mx = mixtures;

struct FitArguments {
  std::string data;
  std::string formula;
  std::string target;
  std::string gate_columns;
  std::string experts = "2";
  std::string families = "gaussian";
  std::string weights;
  std::string missing = "error";
  std::string criterion = "bic";
  std::string output;
  std::string json;
  std::int64_t threads = 0;
  mx::FitOptions options;
};

mx::Formula formula_of(const FitArguments& arguments) {
  if (!arguments.formula.empty()) {
    if (!arguments.target.empty() || !arguments.gate_columns.empty()) {
      fail("witan fit: --formula already names target and gate; leave --target and --gate out");
    }
    return mx::parse_formula(arguments.formula);
  }
  if (arguments.target.empty()) fail("witan fit: no target: give --target COLUMN or --formula 'y ~ x'");
  mx::Formula formula;
  formula.targets = split_list(arguments.target);
  formula.experts.all_others = true;
  formula.has_gate = !arguments.gate_columns.empty();
  if (formula.has_gate) {
    for (const std::string& name : split_list(arguments.gate_columns))
      formula.gate.terms.push_back({{{name, "", 1.0}}});
  } else {
    formula.gate.all_others = true;
  }
  return formula;
}

double criterion_of(const mx::Fit& fit, const std::string& name) {
  return name == "aic" ? fit.aic : (name == "icl" ? fit.icl : fit.bic);
}

// Sound fits before degenerate ones, then by the criterion.
bool better(const mx::Fit& a, const mx::Fit& b, const std::string& criterion) {
  if (a.degenerate != b.degenerate) return !a.degenerate;
  return criterion_of(a, criterion) < criterion_of(b, criterion);
}

ProgressOptions progress_options() {
  constexpr int kStderr = 2;
  ProgressOptions options;
  options.out = &std::cerr;
  options.terminal = is_terminal(kStderr);
  options.columns = terminal_columns(kStderr);
  return options;
}

mx::Fit fit_one(const mx::Prepared& prepared, const mx::FitOptions& options) {
  Progress progress(fmt::format("{}, {} experts", options.family, options.experts), 0, progress_options(), "starts");
  mx::FitProgress callbacks;
  callbacks.run = [&](int done, int total, double best) {
    progress.update(done, std::isfinite(best) ? fmt::format("of {}, best so far {:.6g}", total, best)
                                              : fmt::format("of {}", total));
  };
  mx::Fit fit = mx::fit_mixture(prepared, options, callbacks);
  progress.finish();
  return fit;
}

void run_fit(FitArguments& arguments) {
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  const std::vector<std::string> families = split_list(arguments.families);
  std::vector<std::int64_t> counts = parse_range(arguments.experts, mx::kMaxExperts);
  arguments.options.validate();
  if (!arguments.options.tree.empty()) counts = {arguments.options.experts};
  const mx::TargetKind kind = mx::find_family(families.front()).target;
  for (const std::string& family : families) {
    if (mx::find_family(family).target != kind) {
      fail("witan fit: families {} and {} have likelihoods that cannot be compared", families.front(), family);
    }
  }
  mx::DesignRequest request;
  request.formula = formula_of(arguments);
  if (arguments.options.gate == "constant") request.formula.gate = {};
  request.target = kind;
  request.weights = arguments.weights;
  request.missing = arguments.missing == "drop" ? mx::MissingPolicy::kDrop : mx::MissingPolicy::kError;
  for (const std::string& family : families) {
    if (request.formula.targets.size() > 1 && !mx::find_family(family).several_outputs) {
      fail("fit.family: family={} takes one target, and there are {}", family, request.formula.targets.size());
    }
  }

  const InterruptScope interrupts;
  mx::BuiltDesign built = [&] {
    const CsvTable table = read_csv(arguments.data);  // gone before the fit: the design has copies
    return mx::build_design(table, request);
  }();
  if (built.dropped > 0) fmt::print("{} rows with missing values were left out\n", built.dropped);
  const mx::Prepared prepared = mx::Prepared::from(std::move(built.sample), kind, counts.back());

  std::unique_ptr<mx::Fit> best;
  nlohmann::json selection = nlohmann::json::array();
  for (const std::string& family : families) {
    for (const std::int64_t experts : counts) {
      mx::FitOptions options = arguments.options;
      options.family = family;
      options.experts = experts;
      auto fit = std::make_unique<mx::Fit>(fit_one(prepared, options));
      selection.push_back({{"family", family},
                           {"experts", experts},
                           {"log_likelihood", fit->log_likelihood},
                           {"df", fit->df},
                           {"aic", fit->aic},
                           {"bic", fit->bic},
                           {"icl", fit->icl},
                           {"degenerate", fit->degenerate}});
      if (families.size() * counts.size() > 1) fmt::print("{}", selection_line(*fit));
      if (!best || better(*fit, *best, arguments.criterion)) best = std::move(fit);
    }
  }
  fmt::print("{}", fit_table(*best));
  if (!arguments.output.empty()) {
    mx::write_model(arguments.output, *best, built.design);
    fmt::print("model: {}\n", arguments.output);
  }
  if (!arguments.json.empty()) {
    nlohmann::json json = mx::fit_json(*best);
    json["rows_dropped"] = built.dropped;
    json["criterion"] = arguments.criterion;
    json["selection"] = std::move(selection);
    write_file(arguments.json, json.dump(1) + "\n");
  }
}

}  // namespace

void add_fit(CLI::App& app) {
  const auto arguments = std::make_shared<FitArguments>();
  CLI::App* command = app.add_subcommand("fit", "Fit a mixture of experts to a table");
  command->add_option("data", arguments->data, "A table of comma-separated values whose first line names the columns")
      ->required()
      ->type_name("FILE");
  Fields fields("fit");
  fields
      .text("formula", arguments->formula,
            "The model, such as 'y ~ x + x^2 | gate ~ z'; without the gate's part it has the experts' terms")
      .text("target", arguments->target,
            "Instead of a formula: the target, or several with commas; inputs are all others")
      .text("gate", arguments->gate_columns, "With --target: the gate's inputs, with commas; else all inputs")
      .text("experts", arguments->experts, "How many experts, or a range to choose from, such as 1..8")
      .text("family", arguments->families,
            "Density of the experts, or several to choose from: " + comma_list(mx::family_names()))
      .text("weights", arguments->weights, "Column of case weights: a row of weight 3 counts as three")
      .choice("missing", arguments->missing, {"error", "drop"}, "What to do with rows that miss a value")
      .choice("criterion", arguments->criterion, {"aic", "bic", "icl"}, "What chooses between several models")
      .text("output", arguments->output, "Where to write the model, for `witan predict`")
      .text("json", arguments->json, "Where to write every number of the fit")
      .integer("threads", arguments->threads, 0, 1024, "Threads to compute with; 0: OMP_NUM_THREADS or all cores");
  bind_fields(*command, "Model and data", fields);
  bind_fields(*command, "Fit", arguments->options.fields());
  command->callback([arguments] { run_fit(*arguments); });
}

}  // namespace witan::cli
