// `witan compare`: the same model with a list of routers, on the same text, budget and seeds; one table and one page.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/parallel.h"
#include "report/comparison.h"
#include "training/comparison.h"
#include "training/routing_cost.h"
#include "training/training_run.h"
#include "witan/commands.h"
#include "witan/options.h"
#include "witan/run_data.h"
#include "witan/training_display.h"
#include "witan/training_options.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

struct CompareArguments {
  TrainSettings settings = preset_settings("zoo");
  std::vector<std::string> paths;
  std::vector<std::string> routers;
  std::int64_t num_seeds = 1;
  std::string output;
  std::set<std::string> chosen;  // the fields that were set on the command line
};

// What stands where in the folder of a comparison.
struct ComparisonFolder {
  fs::path path;

  fs::path run(const ComparisonRun& run) const { return path / "runs" / run.folder; }
  fs::path result(const ComparisonRun& run) const { return path / "results" / (run.folder + ".json"); }
  fs::path cache() const { return path / "cache"; }
};

// What all runs share.
struct SharedText {
  Corpus corpus;
  std::shared_ptr<const Tokenizer> tokenizer;
};

// The tokenizer that is trained on the text is kept, so that a comparison that goes on has the same one at once.
SharedText read_text(TrainSettings& settings, const std::set<std::string>& chosen, const ComparisonFolder& folder) {
  SharedText text{read_run_corpus(settings), nullptr};
  throw_if_interrupted();
  const fs::path saved = folder.path / fmt::format("tokenizer-{}-{}-{}", text.corpus.content_key,
                                                   settings.model.vocab_size, settings.seed);
  const bool trained = settings.data.tokenizer == "sentencepiece";
  if (trained && fs::exists(saved)) {
    text.tokenizer = load_tokenizer(saved);
  } else {
    text.tokenizer = trained ? train_run_tokenizer(settings, chosen, text.corpus) : given_tokenizer(settings, chosen);
    if (trained) write_folder(saved, [&](const fs::path& temporary) { text.tokenizer->save(temporary); });
  }
  settings.model.vocab_size = text.tokenizer->vocab_size();
  return text;
}

// Whether this very run was finished before: same settings, same text.
bool is_finished(const ComparisonRun& run, const ComparisonFolder& folder, const std::string& content_key) {
  if (!fs::exists(folder.result(run))) return false;
  const nlohmann::json result = read_json_file(folder.result(run));
  return result.is_object() && result.value("settings", nlohmann::json()) == settings_to_json(run.settings) &&
         result.value("content_key", "") == content_key;
}

// A run that was interrupted goes on where it was saved; one of other settings is replaced.
RunFolder::Mode mode_of(const ComparisonRun& run, const fs::path& run_folder) {
  recover_folder(run_folder / "checkpoint");
  if (!fs::exists(run_folder / "checkpoint")) return RunFolder::Mode::kOverwrite;
  const TrainSettings saved = load_training_state(run_folder / "checkpoint").settings;
  return differing_fields(run.settings, saved).empty() ? RunFolder::Mode::kResume : RunFolder::Mode::kOverwrite;
}

// Trains to the end and writes the result. Throws Interrupted with the run saved.
void train_candidate(const ComparisonRun& run, const ComparisonFolder& folder, const SharedText& text) {
  const RunFolder::Mode mode = mode_of(run, folder.run(run));
  RunFolder run_folder(folder.run(run), mode);
  TokenizedCorpus tokens = tokenize_corpus(text.corpus, *text.tokenizer, folder.cache(), stderr_progress());
  Trainer trainer(run.settings, text.tokenizer, std::move(tokens), text.corpus.content_key);
  if (mode == RunFolder::Mode::kResume) trainer.restore(run_folder.checkpoint());
  run_folder.begin([&] { trainer.save(run_folder.checkpoint()); });
  const ParameterCounts counts = trainer.model().counts();
  nlohmann::ordered_json result = {{"label", run.label},
                                   {"seed", run.seed},
                                   {"content_key", text.corpus.content_key},
                                   {"settings", settings_to_json(run.settings)},
                                   {"parameters", {{"total", counts.total}, {"active", counts.active}}},
                                   {"diverged", nullptr}};
  TrainingDisplay display(trainer.consumed().tokens);
  try {
    const bool ended = trainer.done();  // stopped between the end of training and its result
    const RunEnd end = ended ? RunEnd::kFinished : run_training(trainer, run_folder, interrupted, display);
    display.finish();
    if (end == RunEnd::kInterrupted) throw Interrupted();
    const Evaluation evaluation = ended ? trainer.evaluate(0) : display.last_evaluation();
    result["bits_per_byte"] = evaluation.overall.bits_per_byte();
    result["loss"] = evaluation.overall.loss();
  } catch (const Diverged& error) {
    display.finish();
    result["diverged"] = error.what();
    result["bits_per_byte"] = result["loss"] = nullptr;
  }
  const Consumed consumed = trainer.consumed();
  result["steps"] = consumed.steps;
  result["tokens"] = consumed.tokens;
  result["seconds"] = consumed.seconds;
  result["tokens_per_second"] = static_cast<double>(consumed.tokens) / std::max(consumed.seconds, 1e-9);
  const TrainDataOptions& data = run.settings.data;
  const RoutingCost cost =
      measure_routing_cost(run.settings.model, data.batch_size * data.sequence_length, data.sequence_length);
  result["routing"] = {{"microseconds_per_row", cost.microseconds_per_row}, {"share", cost.share}};
  fs::create_directories(folder.result(run).parent_path());
  write_file(folder.result(run), result.dump(1) + "\n");
  fs::remove_all(run_folder.checkpoint());  // three times the model, and nobody goes on from it
}

nlohmann::json gather(const std::vector<ComparisonRun>& runs, std::size_t count, const ComparisonFolder& folder) {
  std::vector<ComparedRun> compared;
  for (std::size_t i = 0; i < count; ++i) {
    compared.push_back({runs[i].label, folder.result(runs[i]), folder.run(runs[i]) / "metrics.jsonl"});
  }
  return comparison_data(fs::weakly_canonical(folder.path).filename().string(), compared);
}

void make_folder(const fs::path& folder) {
  if (folder.empty()) fail("cannot write a folder without a name");
  if (fs::exists(folder) && !fs::is_directory(folder)) fail("{}: exists and is not a folder", folder.string());
  if (fs::exists(folder / "metrics.jsonl")) {
    fail("{}: holds a run of `witan train`; choose another folder", folder.string());
  }
  fs::create_directories(folder);
}

void compare(CompareArguments& arguments) {
  TrainSettings& settings = arguments.settings;
  if (settings.threads > 0) set_num_threads(static_cast<int>(settings.threads));
  const std::vector<std::string> candidates =
      arguments.routers.empty() ? zoo_candidates(settings.model) : arguments.routers;
  plan_comparison(settings, candidates, arguments.num_seeds);  // for its errors, before any text is read
  if (settings.data.paths.empty()) fail("compare: no text given: name files or folders of .txt or .jsonl");

  const InterruptScope interrupts;
  outlive_readers();
  const ComparisonFolder folder{arguments.output};
  make_folder(folder.path);
  const SharedText text = read_text(settings, arguments.chosen, folder);
  const std::vector<ComparisonRun> runs = plan_comparison(settings, candidates, arguments.num_seeds);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!is_finished(runs[i], folder, text.corpus.content_key)) {
      say(fmt::format("{} of {}: {}, seed {}", i + 1, runs.size(), runs[i].label, runs[i].seed));
      try {
        train_candidate(runs[i], folder, text);
      } catch (const Interrupted&) {
        std::cerr << "interrupted; the same command goes on from here\n";
        throw;
      }
    }
    write_comparison(gather(runs, i + 1, folder), folder.path);
  }
  say("");
  fmt::print("{}", comparison_table(gather(runs, runs.size(), folder)));
  say(fmt::format("\nnumbers: {}", (folder.path / "comparison.json").string()));
  say(fmt::format("page:    {}", (folder.path / "comparison.html").string()));
}

}  // namespace

void add_compare(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "compare", "Train the same model with several routers, on the same text, budget and seeds, and compare them");
  const auto arguments = std::make_shared<CompareArguments>();
  TrainSettings& settings = arguments->settings;

  // It fills every field, so it stands before the fields: see bind_training_fields.
  add_preset_option(*command, settings, "zoo");
  command->add_option("DATA", arguments->paths, kTextHelp);
  command
      ->add_option(
          "--routers", arguments->routers,
          "Routers to compare, each with fields of the model if need be: switch top_k:weighting=scaled,gate=mlp "
          "(every causal router)")
      ->type_name("ROUTER[:FIELD=VALUE,...]");
  command->add_option("--seeds", arguments->num_seeds, "Runs of each router, from --seed on")
      ->check(CLI::Range(1, 1000));
  command->add_option("--output", arguments->output, "Folder of the comparison; what is finished there is kept")
      ->type_name("FOLDER")
      ->required();
  bind_threads(*command, settings.threads);

  bind_training_fields(*command, settings);
  bind_seed(*command, settings, "Of the first run of each router");

  command->callback([command, arguments] {
    arguments->settings.data.paths = absolute_paths(arguments->paths);
    keep_one_budget(*command, arguments->settings.budget);
    arguments->chosen = chosen_fields(*command, arguments->settings.deciding_fields());
    compare(*arguments);
  });
}

}  // namespace witan::cli
