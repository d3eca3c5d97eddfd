// `witan fit`: a table in; a mixture of experts, its coefficients and its certificate out.
#include "mixtures/fit.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
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
#include "mixtures/portrait.h"
#include "mixtures/report_json.h"
#include "mixtures/stream_fit.h"
#include "report/page.h"
#include "witan/commands.h"
#include "witan/fit_table.h"
#include "witan/lists.h"
#include "witan/options.h"
#include "witan/output_file.h"
#include "witan/table_options.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

namespace mx = mixtures;

struct FitArguments {
  std::string data;
  TableOptions table;
  std::string formula;
  std::string target;
  std::string gate_columns;
  std::string experts = "2";
  bool experts_chosen = false;  // on the command line
  std::string families = "gaussian";
  std::string weights;
  std::string missing = "error";
  std::string criterion = "bic";
  std::string output;
  std::string json;
  std::string report;
  std::int64_t threads = 0;
  bool stream = false;
  mx::StreamOptions streaming;
  mx::FitOptions options;

  bool shows() const { return !json.empty() || !report.empty(); }
};

mx::Formula formula_of(const FitArguments& arguments) {
  if (!arguments.formula.empty()) {
    if (!arguments.target.empty() || !arguments.gate_columns.empty()) {
      fail("fit: --formula already names target and gate; leave --target and --gate out");
    }
    return mx::parse_formula(arguments.formula);
  }
  if (arguments.target.empty()) fail("fit: no target: give --target COLUMN or --formula 'y ~ x'");
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

// Shows the starts of a fit.
class StartsProgress {
 public:
  explicit StartsProgress(const mx::FitOptions& options)
      : progress_(fmt::format("{}, {} expert{}", options.family, options.experts, options.experts == 1 ? "" : "s"), 0,
                  stderr_progress(), "starts") {
    callbacks.run = [this](int done, int total, double best) {
      progress_.update(done, std::isfinite(best) ? fmt::format("of {}, best so far {:.6g}", total, best)
                                                 : fmt::format("of {}", total));
      if (done == total) progress_.finish();
    };
  }
  mx::FitProgress callbacks;

 private:
  Progress progress_;
};

// The table's part that pictures need, where there will be any.
constexpr std::int64_t kMostPicturedRows = 2000;

// The best fit of those that were tried, with what shows it.
struct Chosen {
  std::unique_ptr<mx::Fit> fit;
  nlohmann::json selection = nlohmann::json::array();
  mx::Design design;
  mx::Backdrop backdrop;
  std::int64_t dropped = 0;
  nlohmann::json calibration;
};

// Every number of the table on the terminal and of the page.
nlohmann::json all_numbers(const FitArguments& arguments, const Chosen& chosen) {
  nlohmann::json json = mx::fit_json(*chosen.fit);
  json["rows_dropped"] = chosen.dropped;
  json["criterion"] = arguments.criterion;
  json["targets"] = chosen.fit->frame.targets;
  json["classes"] = chosen.fit->frame.classes;
  json["calibration"] = chosen.calibration;
  json["figures"] = mx::portrait_json(mx::portray(*chosen.fit, chosen.design, chosen.backdrop), chosen.backdrop);
  json["selection"] = chosen.selection;
  return json;
}

nlohmann::json calibration_of(const mx::Fit& fit, const mx::Prepared& rows) {
  return mx::calibration_json(mx::calibrate(*fit.model, rows), fit.frame);
}

// Fits every family and number of experts, by `fit_one`, and keeps the best by the criterion.
template <class FitOne>
void try_all(const FitArguments& arguments, const std::vector<std::string>& families,
             const std::vector<std::int64_t>& counts, Chosen& chosen, const FitOne& fit_one) {
  for (const std::string& family : families) {
    for (const std::int64_t experts : counts) {
      mx::FitOptions options = arguments.options;
      options.family = family;
      options.experts = experts;
      StartsProgress progress(options);
      auto fit = std::make_unique<mx::Fit>(fit_one(options, progress.callbacks));
      chosen.selection.push_back({{"family", family},
                                  {"experts", experts},
                                  {"log_likelihood", fit->log_likelihood},
                                  {"df", fit->df},
                                  {"aic", fit->aic},
                                  {"bic", fit->bic},
                                  {"icl", fit->icl},
                                  {"degenerate", fit->degenerate}});
      if (families.size() * counts.size() > 1) fmt::print("{}", selection_line(*fit));
      if (!chosen.fit || better(*fit, *chosen.fit, arguments.criterion)) chosen.fit = std::move(fit);
    }
  }
}

// From a table in memory.
Chosen fit_table_in_memory(const FitArguments& arguments, const std::vector<std::string>& families,
                           const std::vector<std::int64_t>& counts, const mx::DesignRequest& request) {
  Chosen chosen;
  mx::BuiltDesign built = [&] {
    const CsvTable table =
        read_csv(arguments.data, arguments.table.csv());  // gone before the fit: the design has copies
    mx::BuiltDesign design = mx::build_design(table, request);
    if (arguments.shows()) chosen.backdrop = mx::Backdrop::of(table, design, kMostPicturedRows);
    return design;
  }();
  chosen.design = std::move(built.design);
  chosen.dropped = built.dropped;
  if (built.dropped > 0) fmt::print("{} rows with missing values were left out\n", built.dropped);
  // Families of numbers and of positive numbers scale the target differently.
  std::map<mx::TargetKind, mx::Prepared> prepared;
  std::set<mx::TargetKind> kinds;
  for (const std::string& family : families) kinds.insert(mx::find_family(family).target);
  for (const mx::TargetKind kind : kinds) {
    mx::Sample sample = kind == *kinds.rbegin() ? std::move(built.sample) : built.sample;
    prepared.emplace(kind, mx::Prepared::from(std::move(sample), kind, counts.back()));
  }
  try_all(arguments, families, counts, chosen, [&](const mx::FitOptions& options, const mx::FitProgress& progress) {
    return mx::fit_mixture(prepared.at(mx::find_family(options.family).target), options, progress);
  });
  if (arguments.shows()) chosen.calibration = calibration_of(*chosen.fit, prepared.at(chosen.fit->frame.target_kind));
  return chosen;
}

// From a file in pieces. Pictures and calibration are of the rows that were drawn for the start.
Chosen fit_file_in_pieces(const FitArguments& arguments, const std::vector<std::string>& families,
                          const std::vector<std::int64_t>& counts, const mx::DesignRequest& request) {
  Chosen chosen;
  mx::StreamOptions streaming = arguments.streaming;
  std::unique_ptr<Progress> reading;
  const auto stage = [&](const std::string& text) {
    reading = std::make_unique<Progress>(text, 100, stderr_progress(), "%");
  };
  stage("reading the table");
  const mx::TableStream table(
      arguments.data, request, [&](double share) { reading->update(static_cast<std::int64_t>(100.0 * share)); },
      arguments.table.csv());
  chosen.dropped = table.dropped();
  if (chosen.dropped > 0) fmt::print("{} rows with missing values were left out\n", chosen.dropped);
  streaming.stage = stage;
  mx::BuiltDesign start;
  try_all(arguments, families, counts, chosen, [&](const mx::FitOptions& options, const mx::FitProgress& progress) {
    mx::StreamedFit streamed = mx::fit_stream(table, options, streaming, progress);
    if (arguments.shows()) chosen.backdrop = mx::Backdrop::of(streamed.drawn, streamed.start, kMostPicturedRows);
    start = std::move(streamed.start);  // the same rows for every candidate
    return std::move(streamed.fit);
  });
  chosen.design = std::move(start.design);
  if (arguments.shows()) {
    mx::drop_weightless(start.sample);
    chosen.calibration = calibration_of(*chosen.fit, mx::Prepared::under(chosen.fit->frame, std::move(start.sample)));
  }
  return chosen;
}

// The kind of target that all these families have: of numbers and positive numbers, whose densities compare, the
// latter.
mx::TargetKind target_of(const std::vector<std::string>& families) {
  const auto is_number = [](mx::TargetKind kind) {
    return kind == mx::TargetKind::kNumber || kind == mx::TargetKind::kPositive;
  };
  mx::TargetKind result = mx::find_family(families.front()).target;
  for (const std::string& family : families) {
    const mx::TargetKind kind = mx::find_family(family).target;
    if (kind != result && !(is_number(kind) && is_number(result)))
      fail("fit: families {} and {} have likelihoods that cannot be compared", families.front(), family);
    if (kind != result) result = mx::TargetKind::kPositive;
  }
  return result;
}

void run_fit(FitArguments& arguments) {
  for (const std::string& path : {arguments.output, arguments.json, arguments.report}) require_writable(path);
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  const std::vector<std::string> families = split_list(arguments.families);
  std::vector<std::int64_t> counts = parse_range(arguments.experts, mx::kMaxExperts);
  arguments.options.experts = counts.front();
  arguments.options.validate();
  if (!arguments.options.tree.empty()) {
    if (arguments.experts_chosen && counts != std::vector<std::int64_t>{arguments.options.experts}) {
      fail("fit: --tree {} has {} experts, --experts says {}; leave one of them out", arguments.options.tree,
           arguments.options.experts, arguments.experts);
    }
    counts = {arguments.options.experts};
  }
  const mx::TargetKind kind = target_of(families);
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
  const Chosen chosen = arguments.stream ? fit_file_in_pieces(arguments, families, counts, request)
                                         : fit_table_in_memory(arguments, families, counts, request);
  fmt::print("{}", fit_table(*chosen.fit));
  if (!arguments.output.empty()) {
    mx::write_model(arguments.output, *chosen.fit, chosen.design);
    fmt::print("model: {}\n", arguments.output);
  }
  if (!arguments.shows()) return;
  nlohmann::json json = all_numbers(arguments, chosen);
  if (!arguments.json.empty()) write_file(arguments.json, json.dump(1) + "\n");
  if (!arguments.report.empty()) {
    json["name"] = std::filesystem::path(arguments.data).filename().string();
    write_file(arguments.report, fill_page(fit_template(), json));
    fmt::print("page: {}\n", arguments.report);
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
      .text("report", arguments->report, "Where to write a page to look at, such as fit.html")
      .flag("stream", arguments->stream,
            "Read the table in pieces, several times: for files larger than memory. On-line EM, then Newton's method")
      .integer("stream_passes", arguments->streaming.passes, 1, 1000, "Passes of on-line EM over the file")
      .integer("stream_start_rows", arguments->streaming.start_rows, 100, std::int64_t{1} << 40,
               "Rows drawn from the file for the first fit and its restarts; files with fewer are read whole");
  bind_threads(*command, arguments->threads);
  bind_fields(*command, "Model and data", fields);
  bind_fields(*command, "Table", arguments->table.fields());
  bind_fields(*command, "Fit", arguments->options.fields());
  command->callback([arguments, command] {
    arguments->experts_chosen = command->count("--experts") > 0;
    run_fit(*arguments);
  });
}

}  // namespace witan::cli
