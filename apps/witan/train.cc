// `witan train`: text in, a run folder with a trained model and its report out.
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
#include "base/parallel.h"
#include "base/pool.h"
#include "inference/plan.h"
#include "kernels/isa.h"
#include "models/checkpoint_folder.h"
#include "models/parameter_counts.h"
#include "report/report.h"
#include "training/checkpoint.h"
#include "training/memory.h"
#include "training/training_run.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/run_data.h"
#include "witan/samples.h"
#include "witan/training_display.h"
#include "witan/training_options.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kAnalysedTokens = 500'000;  // of held-out text at the most: shares are known well enough by then

struct TrainArguments {
  TrainSettings settings = preset_settings("quickstart");
  std::vector<std::string> paths;
  std::string output;
  DecoderConfig origin;          // of the model that settings.from names
  std::string resume;            // the run folder; empty: a new run
  TrainingState resumed;         // of that run
  std::set<std::string> chosen;  // the fields that were set on the command line
  bool overwrite = false;
  bool dry_run = false;
};

void print_sizes(const TrainSettings& settings) {
  const ParameterCounts counts = count_parameters(settings.model);
  const MemoryEstimate memory = estimate_memory(settings, counts);
  say(counts_text(counts));
  say(fmt::format("{} tokens per step", settings.tokens_per_step()));
  say(fmt::format("about {} of memory: weights {}, gradients {}, AdamW {}, activations {}",
                  size_text(static_cast<double>(memory.total())), size_text(static_cast<double>(memory.weights)),
                  size_text(static_cast<double>(memory.gradients)), size_text(static_cast<double>(memory.moments)),
                  size_text(static_cast<double>(memory.activations))));
}

// Before any text is read: the system would end the process in the middle of a run, or swap for hours.
void require_memory(const TrainSettings& settings) {
  const std::int64_t needed = estimate_memory(settings, count_parameters(settings.model)).total();
  const std::int64_t available = available_memory();
  if (available < 0 || needed <= available) return;
  fail(
      "train: the run takes about {} of memory, {} are free. Smaller --batch-size or --sequence-length (with "
      "more --gradient-accumulation-steps), fewer --num-experts or layers, or a smaller --preset need less; --dry-run "
      "says how much",
      size_text(static_cast<double>(needed)), size_text(static_cast<double>(available)));
}

void check_origin(const TrainArguments& arguments) {
  if (arguments.settings.from.empty() || !arguments.resume.empty()) return;
  if (arguments.chosen.contains("tokenizer")) {
    fail("train: --tokenizer: a model that is trained on keeps its own, that of {}", arguments.settings.from);
  }
  const std::vector<std::string> list = contradictions(arguments.settings.model, arguments.origin, arguments.chosen);
  if (list.empty()) return;
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : "; ") + one;
  fail("{}: cannot be trained on with other sizes: {}", arguments.settings.from, text);
}

// A run that is overwritten must not take along the model that the new one begins with, nor its text.
void require_apart(const TrainSettings& settings, const fs::path& output) {
  if (output.empty()) return;
  fs::path outer = fs::weakly_canonical(fs::absolute(output));
  if (!outer.has_filename()) outer = outer.parent_path();  // a trailing slash
  std::vector<std::string> needed = settings.data.paths;
  if (!settings.from.empty()) needed.push_back(settings.from);
  for (const std::string& path : needed) {
    const fs::path inner = fs::weakly_canonical(path);
    if (std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first != outer.end()) continue;
    fail("{}: holds {}, which the run needs; choose another folder", output.string(), path);
  }
}

// The order of sums, and with it the last bits, follows the threads and the instruction set.
void warn_of_other_bits(const TrainingState& saved) {
  const std::string_view isa = kernels::isa_name(kernels::active_isa());
  if (saved.threads == num_threads() && saved.instruction_set == isa) return;
  fmt::print(stderr,
             "witan: warning: saved with {} threads and {}, goes on with {} and {}: the result may differ in the last "
             "bits\n",
             saved.threads, saved.instruction_set, num_threads(), isa);
}

// Whether they are those of the state that was restored: a run may have been made longer since.
bool results_stand(const RunFolder& folder, std::int64_t step) {
  if (!fs::exists(folder.model()) || !fs::exists(folder.report()) || !fs::exists(folder.analysis())) return false;
  const nlohmann::json analysis =
      nlohmann::json::parse(read_text_file(folder.analysis()), nullptr, /*allow_exceptions=*/false);
  return analysis.is_object() && analysis.value("step", nlohmann::json()) == step;
}

// Everything that stands in the run folder once training is over, and the summary on the terminal. The report goes
// first and comes last, so that with it all of them are there. Throws Interrupted when interrupted.
void write_results(Trainer& trainer, const RunFolder& folder, std::vector<Sample> prompts,
                   const Evaluation& evaluation) {
  fs::remove(folder.report());
  save_model_folder(trainer.model(), trainer.tokenizer(), folder.model());

  Analysis analysis;
  analysis.step = trainer.consumed().steps;
  analysis.domains = trainer.corpus().domains;
  const DecoderConfig& model = trainer.settings().model;
  RoutingCensus census(observed_experts(model.moe), static_cast<std::int64_t>(analysis.domains.size()),
                       model.vocab_size);
  const auto targets = static_cast<std::int64_t>(trainer.corpus().heldout->tokens().size()) - 1;
  Progress progress("watch experts", std::min(targets, kAnalysedTokens), stderr_progress(), "k tokens", 1e3);
  trainer.evaluate(kAnalysedTokens, census.observer(), [&](std::int64_t done) {
    progress.update(done);
    throw_if_interrupted();
  });
  progress.finish();
  analysis.layers = census.finish(trainer.tokenizer());
  analysis.samples = std::move(prompts);
  continue_prompts(analysis.samples, trainer.model(), trainer.tokenizer(),
                   static_cast<std::uint64_t>(trainer.settings().seed));
  write_analysis(folder.analysis(), analysis);
  write_report(folder.path(), folder.report());

  say("");
  fmt::print("{}", evaluation_table(evaluation, analysis.domains));
  if (!analysis.layers.empty()) {
    const LayerAnalysis& layer = *std::ranges::max_element(analysis.layers, {}, mutual_information);
    say(fmt::format("\nwho serves what, layer {}:", layer.layer));
    fmt::print("{}", expert_table(layer, analysis.domains));
  }
  const Consumed consumed = trainer.consumed();
  say(fmt::format("\nmemory: {} of the process at the most, {} of tensors",
                  size_text(static_cast<double>(peak_resident_bytes())),
                  size_text(static_cast<double>(pool_statistics().peak_bytes_in_use))));
  say(fmt::format("report: {}", folder.report().string()));
  say(fmt::format("model:  {}", folder.model().string()));
  say(fmt::format("{} steps, {} tokens, held-out loss {:.4f} nats per token, {:.4f} bits per byte", consumed.steps,
                  consumed.tokens, evaluation.overall.loss(), evaluation.overall.bits_per_byte()));
}

// What can be done about divergence depends on what is left.
RunEnd run_to_end(Trainer& trainer, const RunFolder& folder, TrainingDisplay& display) {
  try {
    return run_training(trainer, folder, interrupted, display);
  } catch (const Diverged& error) {
    throw Diverged(fmt::format(
        "{}. {} holds the state after step {}; it would come to the same end with the same settings, so "
        "begin a new run with, say, a lower --learning-rate or a longer --warmup-ratio",
        error.what(), folder.checkpoint().string(), load_training_state(folder.checkpoint()).consumed.steps));
  }
}

void train(TrainArguments& arguments) {
  TrainSettings& settings = arguments.settings;
  check_origin(arguments);
  settings.validate();
  if (settings.threads > 0) set_num_threads(static_cast<int>(settings.threads));
  if (arguments.dry_run) return print_sizes(settings);
  if (settings.data.paths.empty()) fail("train: no text given: name files or folders of .txt or .jsonl");
  const bool resume = !arguments.resume.empty();
  if (resume) require_same_settings(settings, arguments.resumed.settings, fs::path(arguments.resume) / "checkpoint");
  require_memory(settings);

  const RunFolder::Mode mode = resume                ? RunFolder::Mode::kResume
                               : arguments.overwrite ? RunFolder::Mode::kOverwrite
                                                     : RunFolder::Mode::kNew;
  const InterruptScope interrupts;
  outlive_readers();
  if (!resume) require_apart(settings, arguments.output);
  RunFolder folder(resume ? arguments.resume : arguments.output, mode);
  RunData data =
      resume ? resume_data(arguments.resumed, settings, folder) : prepare_data(settings, arguments.chosen, folder);
  say(fmt::format("text: {} for training, {} held out, {} domain{}", size_text(static_cast<double>(data.train_bytes)),
                  size_text(static_cast<double>(data.heldout_bytes)), data.domains.size(),
                  data.domains.size() == 1 ? "" : "s"));
  for (const std::string& note : data.notes) say(note);

  Trainer trainer(settings, data.tokenizer, std::move(data.tokens), data.content_key);
  if (resume) {
    trainer.restore(folder.checkpoint());
    warn_of_other_bits(arguments.resumed);
  } else if (!settings.from.empty()) {
    trainer.start_from(settings.from);
    say(fmt::format("from: {}", settings.from));
  }
  if (trainer.done()) {
    recover_folder(folder.model());
    if (results_stand(folder, trainer.consumed().steps)) {
      fail("{}: this run is complete: {} steps", folder.path().string(), trainer.consumed().steps);
    }
    say("trained to the end, but its results are missing: writing them");
  }
  folder.begin([&] { trainer.save(folder.checkpoint()); }, trainer.corpus().file);
  write_file(folder.heldout(), data.heldout_text);
  data.heldout_text = std::string();  // not held through the whole run
  say(fmt::format("model: {}", counts_text(trainer.model().counts())));

  try {
    TrainingDisplay display(trainer.consumed().tokens);
    const RunEnd end = run_to_end(trainer, folder, display);
    display.finish();
    if (end == RunEnd::kInterrupted) throw Interrupted();
    write_results(trainer, folder, std::move(data.prompts), display.last_evaluation());
  } catch (const Interrupted&) {
    std::cerr << fmt::format("interrupted after step {}; continue with: witan train --resume {}\n",
                             trainer.consumed().steps, folder.path().string());
    throw;
  }
}

}  // namespace

void add_train(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "Train a sparse decoder on text");
  const auto arguments = std::make_shared<TrainArguments>();
  TrainSettings& settings = arguments->settings;

  // These three fill every field, so they stand before the fields: see bind_training_fields.
  CLI::Option* preset = add_preset_option(*command, settings, "quickstart");
  CLI::Option* from = command->add_option_function<std::string>(
      "--from",
      [arguments](const std::string& folder) {
        const fs::path model = fs::absolute(find_model_folder(folder)).lexically_normal();
        arguments->origin = load_config(model);
        arguments->settings.model = arguments->origin;
        arguments->settings.from = arguments->settings.data.tokenizer = model.string();
      },
      "Train this model on: its sizes and its tokenizer are kept, routing and balance may be tuned");
  from->type_name("FOLDER");
  CLI::Option* resume = command->add_option_function<std::string>(
      "--resume",
      [arguments](const std::string& run) {
        arguments->resume = run;
        arguments->resumed = load_training_state(fs::path(run) / "checkpoint");
        arguments->settings = arguments->resumed.settings;
        arguments->settings.threads = arguments->resumed.threads;  // for the same bits
      },
      "Continue this run where it was saved, bit for bit");
  resume->excludes(preset)->excludes(from)->type_name("RUN");

  command->footer(
      "Ctrl-C (exit code 130) and SIGTERM (143) save the run after the step that is under way; --resume goes on, with "
      "as many threads as before unless --threads says otherwise.");
  command->add_option("DATA", arguments->paths, kTextHelp);
  CLI::Option* output = command->add_option("--output", arguments->output, "Folder of the run");
  output->type_name("RUN")->excludes(resume);
  command->add_flag("--overwrite", arguments->overwrite, "Replace the run that --output holds")->excludes(resume);
  command->add_flag("--dry-run", arguments->dry_run,
                    "Print the sizes of the model and of the memory, and stop: makes neither");
  bind_threads(*command, settings.threads);

  bind_training_fields(*command, settings);
  bind_seed(*command, settings, "Decides weights, order of the text and routing noise");

  command->callback([command, arguments, output] {
    if (!arguments->paths.empty()) arguments->settings.data.paths = absolute_paths(arguments->paths);
    keep_one_budget(*command, arguments->settings.budget);
    arguments->chosen = chosen_fields(*command, arguments->settings.deciding_fields());
    arguments->settings.model.complete(arguments->chosen);
    if (arguments->resume.empty() && !arguments->dry_run && output->count() == 0) {
      throw CLI::RequiredError("--output");
    }
    train(*arguments);
  });
}

}  // namespace witan::cli
