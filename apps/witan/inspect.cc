// `witan inspect`: what a model is, and what its experts do.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "inference/plan.h"
#include "inference/source_text.h"
#include "inspection/inspection.h"
#include "inspection/inspection_json.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "report/page.h"
#include "witan/commands.h"
#include "witan/evaluation_text.h"
#include "witan/inspect_pairs.h"
#include "witan/inspect_table.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/output_file.h"
#include "witan/scratch_folder.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

struct InspectArguments {
  std::string folder;
  std::vector<std::string> data;
  std::vector<std::string> target_data;
  bool weights = false;
  std::int64_t tokens = 16384;
  std::int64_t sample_rows = 256;
  std::int64_t batch_size = 8;
  std::int64_t sequence_length = 0;
  bool lossy = false;
  std::string source_language;
  std::string target_language;
  std::string tokenizer;
  std::int64_t threads = 0;
  std::string json;
  std::string report;

  Fields fields() {
    constexpr std::int64_t kMany = std::int64_t{1} << 40;
    Fields fields("inspect");
    fields
        .flag("weights", weights,
              "Look at the experts' weights too: norms, ranks, outliers, similarity; --data does so anyway")
        .integer("tokens", tokens, 1, kMany, "With --data: tokens to read, in sequences spread evenly over the text")
        .integer("sample_rows", sample_rows, 0, kMany,
                 "With --data: tokens of each layer that every expert is asked about, for what the router passed over")
        .integer("batch_size", batch_size, 1, 1 << 20, "With --data: sequences at a time; encoder-decoders take one")
        .integer("sequence_length", sequence_length, 0, 1 << 20,
                 "With --data: tokens per sequence; 0: as in training, else 256")
        .text("source_lang", source_language,
              "With --data: the language of the text, for a model that translates (NLLB's codes, eng_Latn)")
        .text("target_lang", target_language, "The language of --target-data; without that, the source's")
        .flag("lossy", lossy, "With --data: replace invalid UTF-8 by U+FFFD instead of refusing the file")
        .text("tokenizer", tokenizer,
              "With --data: a tokenizer.json, or a folder with a tokenizer; else the model's own")
        .text("json", json, "Where to write every number")
        .text("report", report, "Where to write a page to look at, such as model.html");
    return fields;
  }
};

// Before weights are loaded, as f32: losses and statistics ask for them. `line_bytes`: for the longest line beside
// them.
void require_room(const Inventory& inventory, std::int64_t line_bytes) {
  const std::int64_t weights = inventory.parameters.total * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t available = available_memory();
  if (available < 0 || weights + line_bytes <= available) return;
  const std::string line =
      line_bytes == 0 ? "" : fmt::format(" and the longest line {}", size_text(static_cast<double>(line_bytes)));
  fail("inspect: the weights take {} of memory as f32{}, {} are free; without --data and --weights nothing is loaded",
       size_text(static_cast<double>(weights)), line, size_text(static_cast<double>(available)));
}

std::vector<WeightStatistics> look_at_weights(const std::vector<ExpertBank>& banks) {
  Progress progress("weights", static_cast<std::int64_t>(banks.size()), stderr_progress(), "layers");
  std::vector<WeightStatistics> weights = weight_statistics(banks, [&](std::int64_t done) {
    progress.update(done);
    throw_if_interrupted();
  });
  progress.finish();
  return weights;
}

std::unique_ptr<Tokenizer> wanted_tokenizer(const InspectArguments& arguments, const fs::path& model) {
  if (arguments.tokenizer.empty()) return load_tokenizer(model);
  return fs::is_regular_file(arguments.tokenizer) ? load_tokenizer_json(arguments.tokenizer)
                                                  : load_tokenizer(arguments.tokenizer);
}

// Throws Error where the longest of them is too long for the time, or for the memory beside the weights.
PairedText pairs_to_show(const InspectArguments& arguments, const fs::path& folder, const Inventory& inventory,
                         const Tokenizer& tokenizer) {
  constexpr std::int64_t kUsualLength = 256;
  const std::int64_t length = arguments.sequence_length == 0 ? kUsualLength : arguments.sequence_length;
  const EncoderDecoderConfig config = load_encoder_decoder_config(folder);
  PairedText pairs = read_pairs(folder, config, tokenizer,
                                {arguments.data,
                                 arguments.target_data,
                                 arguments.lossy,
                                 {arguments.source_language, arguments.target_language, length, arguments.tokens}});
  std::size_t longest = 0;
  for (const TextPair& pair : pairs.pairs) longest = std::max({longest, pair.source.size(), pair.inputs.size()});
  require_readable(longest);
  const auto tokens = static_cast<std::int64_t>(longest);
  const RunPlan plan = plan_run(config, tokens, tokens, 1);
  require_room(inventory, plan.cache_bytes + plan.pass_bytes);
  return pairs;
}

TextInspection look_at_pairs(const InspectArguments& arguments, const EncoderDecoder& model, const Tokenizer& tokenizer,
                             const PairedText& pairs) {
  Progress progress("read", static_cast<std::int64_t>(pairs.pairs.size()), stderr_progress(), "pairs");
  TextInspection text = inspect_pairs(model, tokenizer, pairs, arguments.sample_rows, [&](std::int64_t done) {
    progress.update(done);
    throw_if_interrupted();
  });
  progress.finish();
  return text;
}

TextInspection look_at_text(const InspectArguments& arguments, Decoder& model, const Tokenizer& tokenizer) {
  const std::int64_t length =
      evaluation_length("witan inspect", arguments.folder, arguments.sequence_length, model.config());
  const ScratchFolder scratch;
  const TokenizedCorpus tokens = tokenize_corpus(read_evaluation_text(arguments.data, arguments.lossy), tokenizer,
                                                 scratch.path(), stderr_progress());
  const auto stream = static_cast<std::int64_t>(tokens.heldout->tokens().size());
  Progress progress("read", std::min(arguments.tokens, stream - 1), stderr_progress(), "k tokens", 1e3);
  const EvaluationOptions options{arguments.batch_size, length, arguments.tokens, [&](std::int64_t done) {
                                    progress.update(done);
                                    throw_if_interrupted();
                                  }};
  TextInspection text = inspect_text(model, tokenizer, tokens, options, arguments.sample_rows);
  progress.finish();
  return text;
}

void inspect(const InspectArguments& arguments) {
  if (arguments.threads > 0) set_num_threads(static_cast<int>(arguments.threads));
  for (const std::string& path : {arguments.json, arguments.report}) require_writable(path);
  const fs::path folder = find_model_folder(arguments.folder);
  Inspection inspection;
  inspection.inventory = take_inventory(folder);
  if (folder != fs::path(arguments.folder)) inspection.inventory.name = folder_name(arguments.folder);
  const bool with_text = !arguments.data.empty();
  const bool paired =
      !arguments.target_data.empty() || !arguments.source_language.empty() || !arguments.target_language.empty();
  if (paired && !inspection.inventory.encoder_decoder) {
    fail("inspect: {} reads one text: --target-data, --source-lang and --target-lang are for encoder-decoders",
         inspection.inventory.architecture);
  }
  if (paired && !with_text) fail("inspect: --target-data, --source-lang and --target-lang need --data");
  std::unique_ptr<Tokenizer> tokenizer;
  if (with_text) tokenizer = wanted_tokenizer(arguments, folder);
  fmt::print("{}", inventory_table(inspection.inventory));
  std::fflush(stdout);

  const InterruptScope interrupts;
  if (with_text || arguments.weights) {
    require_room(inspection.inventory, 0);
    if (inspection.inventory.encoder_decoder) {
      // What is wrong with the text is told before minutes of loading.
      PairedText pairs;
      if (with_text) pairs = pairs_to_show(arguments, folder, inspection.inventory, *tokenizer);
      const std::unique_ptr<EncoderDecoder> model = load_encoder_decoder(folder);
      if (with_text) inspection.text = look_at_pairs(arguments, *model, *tokenizer, pairs);
      inspection.weights = look_at_weights(expert_banks(*model));
    } else {
      const std::unique_ptr<Decoder> model = load_model(folder);
      // The text first, since what is wrong with it should not be told after minutes of statistics.
      if (with_text) inspection.text = look_at_text(arguments, *model, *tokenizer);
      inspection.weights = look_at_weights(expert_banks(*model));
    }
    fmt::print("{}", weights_table(inspection.weights));
    if (inspection.text) fmt::print("{}", text_table(*inspection.text, *tokenizer));
  }
  if (arguments.json.empty() && arguments.report.empty()) return;
  const nlohmann::ordered_json json = inspection_json(inspection, tokenizer.get());
  if (!arguments.json.empty()) write_file(arguments.json, json.dump(1) + "\n");
  if (arguments.report.empty()) return;
  write_file(arguments.report, fill_page(inspect_template(), nlohmann::json(json)));
  fmt::print("page: {}\n", arguments.report);
}

}  // namespace

void add_inspect(CLI::App& app) {
  const auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command =
      app.add_subcommand("inspect", "Look into a model: its sizes, and what its experts do with a text");
  command->add_option("folder", arguments->folder, "A model's folder, or what `witan train --output` wrote")
      ->required()
      ->type_name("FOLDER");
  command
      ->add_option("--data", arguments->data,
                   std::string("Text to watch the experts on, each file or top folder as a domain. ") + kTextHelp)
      ->type_name("FILE");
  command
      ->add_option("--target-data", arguments->target_data,
                   "Of an encoder-decoder: what the decoder is given, a file for each of --data and a line for each of "
                   "its lines; else the same text")
      ->type_name("FILE");
  bind_fields(*command, "Options", arguments->fields());
  bind_threads(*command, arguments->threads);
  command->callback([arguments] { inspect(*arguments); });
}

}  // namespace witan::cli
