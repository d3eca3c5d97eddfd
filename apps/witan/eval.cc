// `witan eval`: how well a model predicts a text, overall and by domain.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "models/checkpoint_folder.h"
#include "training/analysis.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"
#include "witan/commands.h"
#include "witan/evaluation_text.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/output_file.h"
#include "witan/run_data.h"
#include "witan/scratch_folder.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

struct EvalArguments {
  std::string model;  // a run folder or a model folder
  std::vector<std::string> paths;
  bool heldout = false;
  bool json = false;
  bool lossy = false;
  std::int64_t batch_size = 0;       // 0: as in training, else 16
  std::int64_t sequence_length = 0;  // 0: as in training, else 256, and never beyond the model's positions
  std::int64_t threads = 0;
  std::string analysis;  // a file to write; empty: none
};

// What is held out depends on all of the text: were it not the same, the model might have been trained on it.
void check_unchanged(const fs::path& run, const Corpus& corpus) {
  if (load_training_state(run / "checkpoint").content_key != corpus.content_key) {
    fail("{}: the text has changed since this run was started, so what was held out is unknown", run.string());
  }
}

// The text to evaluate on, all of it in `heldout`.
Corpus read_text(const EvalArguments& arguments) {
  if (arguments.heldout) {
    Corpus corpus = read_run_corpus(run_settings(arguments.model));
    check_unchanged(arguments.model, corpus);
    corpus.train.clear();
    corpus.train_bytes = 0;
    return corpus;
  }
  return read_evaluation_text(arguments.paths, arguments.lossy);
}

nlohmann::ordered_json loss_json(const DomainLoss& loss) {
  return {
      {"loss", loss.loss()}, {"bits_per_byte", loss.bits_per_byte()}, {"tokens", loss.tokens}, {"bytes", loss.bytes}};
}

std::string evaluation_json(const Evaluation& evaluation, const std::vector<std::string>& domains) {
  nlohmann::ordered_json object = loss_json(evaluation.overall);
  nlohmann::ordered_json& by_domain = object["domains"] = nlohmann::ordered_json::object();
  for (std::size_t d = 0; d < domains.size(); ++d) {
    if (evaluation.domains[d].tokens > 0) by_domain[domains[d]] = loss_json(evaluation.domains[d]);
  }
  return object.dump();
}

void eval(const EvalArguments& arguments) {
  if (arguments.heldout && !arguments.paths.empty()) {
    fail("eval: --heldout is the text that the run kept out of its training; leave out {}", arguments.paths.front());
  }
  if (!arguments.heldout && arguments.paths.empty()) {
    fail("eval: name text to evaluate on, or give --heldout for the text that a run kept out of its training");
  }
  require_writable(arguments.analysis);
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  const fs::path folder = find_model_folder(arguments.model);
  const std::unique_ptr<Decoder> model = load_model(folder);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  const std::int64_t length = evaluation_length("eval", arguments.model, arguments.sequence_length, model->config());
  const InterruptScope interrupts;
  const ScratchFolder scratch;
  const TokenizedCorpus tokens = tokenize_corpus(read_text(arguments), *tokenizer, scratch.path(), stderr_progress());

  Progress progress("evaluate", static_cast<std::int64_t>(tokens.heldout->tokens().size()) - 1, stderr_progress(),
                    "k tokens", 1e3);
  const auto on_batch = [&](std::int64_t done) {
    progress.update(done);
    throw_if_interrupted();
  };
  const EvaluationOptions options{evaluation_batch_size(arguments.model, arguments.batch_size), length, 0, on_batch};
  const auto domains = static_cast<std::int64_t>(tokens.domains.size());
  RoutingCensus census(observed_experts(model->config().moe), domains, model->config().vocab_size);
  const WindowObserver observer = arguments.analysis.empty() ? WindowObserver() : census.observer();
  const Evaluation evaluation =
      evaluate(*model, *tokens.heldout, bytes_per_token(*tokenizer), domains, options, observer);
  progress.finish();

  if (arguments.json) {
    fmt::print("{}\n", evaluation_json(evaluation, tokens.domains));
  } else {
    fmt::print("{}", evaluation_table(evaluation, tokens.domains));
  }
  if (!arguments.analysis.empty()) {
    write_analysis(arguments.analysis,
                   {.step = -1, .domains = tokens.domains, .layers = census.finish(*tokenizer), .samples = {}});
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  CLI::App* command = app.add_subcommand("eval", "Measure how well a model predicts a text");
  const auto arguments = std::make_shared<EvalArguments>();
  command->add_option("MODEL", arguments->model, "A run folder or a model folder")->required();
  command->add_option("DATA", arguments->paths, kTextHelp);
  command->add_flag("--heldout", arguments->heldout, "Evaluate on the text that this run kept out of its training");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->add_flag("--lossy", arguments->lossy, "Replace invalid UTF-8 by U+FFFD instead of refusing the file");
  command->add_option("--batch-size", arguments->batch_size, "Sequences at a time; 0: as in training, else 16")
      ->check(CLI::Range(0, 1 << 20));
  command->add_option("--sequence-length", arguments->sequence_length, "Tokens per sequence; 0: as in training")
      ->check(CLI::Range(0, 1 << 20));
  bind_threads(*command, arguments->threads);
  command->add_option("--analysis", arguments->analysis, "Write who serves what to this file, as analysis.json")
      ->type_name("FILE");
  command->callback([arguments] { eval(*arguments); });
}

}  // namespace witan::cli
