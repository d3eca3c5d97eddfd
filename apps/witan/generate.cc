// `witan generate`: continues a prompt, answers messages, or (encoder-decoders, see translate.h) translates a source.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "inference/generation_config.h"
#include "inference/generator.h"
#include "inference/plan.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "models/released_files.h"
#include "models/stored_weights.h"
#include "text/tokenizer_files.h"
#include "witan/chat_session.h"
#include "witan/commands.h"
#include "witan/dump.h"
#include "witan/expert_painter.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/run_plan.h"
#include "witan/terminal_text.h"
#include "witan/translate.h"

namespace witan::cli {
namespace {

std::string prompt_from_stdin() {
  if (is_terminal(STDIN_FILENO)) fmt::print(stderr, "witan: type the prompt, then Ctrl-D\n");
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  if (text.ends_with('\n')) text.pop_back();  // of the last line, which `echo` and editors add
  return text;
}

struct GenerateCommand {
  std::string folder;
  std::string prompt;
  bool has_prompt = false;
  std::int64_t max_tokens = GenerationOptions().max_tokens;
  bool echo = true;
  bool chat = false;
  std::string system;
  bool dry_run = false;
  bool show_experts = false;
  std::int64_t layer = -1;
  std::int64_t threads = 0;
  std::string weights = "auto";
  SamplingOptions sampling;
  GenerationOptions ends;        // what generation_config.json says of it
  std::set<std::string> chosen;  // fields that stood on the command line
  TranslateCommand translate;
  DumpRequest dump;

  Fields fields() {
    constexpr std::int64_t kMany = 1 << 30;
    Fields fields("generate");
    fields.integer("max_tokens", max_tokens, 0, kMany, "Tokens to generate, unless the text ends before")
        .flag("echo", echo, "Print the prompt before its continuation")
        .flag("dry_run", dry_run, "Say what running the model takes, and stop")
        .flag("show_experts", show_experts, "Colour each token by the expert that served it, or mark it [e3]")
        .integer("layer", layer, -1, kMany, "Whose experts to show; -1: the middle one of those with a mixture")
        .choice("weights", weights, {"auto", "bf16", "f16", "f32"},
                "How the matrices of the model are held in memory: auto takes bf16 or f16 where they are stored so, "
                "else f32");
    return fields;
  }

  bool names_source() const {
    return translate.has_source || !translate.source_file.empty() || !translate.source_language.empty() ||
           !translate.target_language.empty();
  }

  std::string prompt_text() const {
    if (has_prompt) return prompt;
    return dry_run || chat ? std::string() : prompt_from_stdin();
  }
};

std::int64_t middle_mixture(const DecoderConfig& config) {
  std::vector<std::int64_t> mixtures;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (config.is_moe_layer(layer)) mixtures.push_back(layer);
  }
  if (mixtures.empty()) fail("generate: --show-experts needs a model with a mixture of experts; this one is dense");
  return mixtures[mixtures.size() / 2];
}

void print(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

const char* reason(StopReason stop) {
  switch (stop) {
    case StopReason::kMaxTokens:
      return "";
    case StopReason::kEndOfText:
      return "; the text ended";
    case StopReason::kStopString:
      return "; a stop string of generation_config.json came";
    case StopReason::kContextFull:
      return "; the model's context is full";
    case StopReason::kCallback:
      return "; interrupted";
  }
  return "";
}

double rate(double count, double seconds) { return seconds > 0.0 ? count / seconds : 0.0; }

std::string tokens_text(std::int64_t count) { return fmt::format("{} token{}", count, count == 1 ? "" : "s"); }

void print_summary(const Generation& generation) {
  const auto tokens = static_cast<double>(generation.ids.size());
  fmt::print(stderr, "witan: prompt of {} in {:.2f} s, {} in {:.2f} s ({:.0f} tokens/s){}\n",
             tokens_text(generation.prompt_tokens), generation.prefill_seconds,
             tokens_text(static_cast<std::int64_t>(generation.ids.size())), generation.decode_seconds,
             rate(tokens, generation.decode_seconds), reason(generation.stop));
}

// Prints what a generator says, as it says it.
class Speaker {
 public:
  Speaker(Decoder& model, const Tokenizer& tokenizer, const GenerateCommand& command)
      : generator_(model, tokenizer),
        sampling_(command.sampling),
        options_(command.ends),
        painter_(detect_color_mode(), model.config().moe.num_experts) {
    options_.add_special_tokens = !command.chat;
    if (command.show_experts) {
      options_.observed_layer = command.layer >= 0 ? command.layer : middle_mixture(model.config());
    }
  }

  // `echo` is printed before the first token. Throws Interrupted after what was said until then.
  Generation speak(const std::string& prompt, const std::string& echo) {
    bool echoed = false;
    const auto begin = [&] {  // only when nothing can be refused any more
      if (!echoed) print(for_standard_output(echo));
      echoed = true;
    };
    Generation generation = generator_.generate(prompt, sampling_, options_, [&](const GeneratedToken& token) {
      begin();
      const std::int32_t expert = token.experts.experts.empty() ? -1 : token.experts.experts.front();
      print(painter_.paint(for_standard_output(token.text), expert));
      return !interrupted();
    });
    begin();
    print(for_standard_output(generation.tail) + "\n");
    if (options_.observed_layer) {
      print(fmt::format("experts of layer {}: {}\n", *options_.observed_layer, painter_.legend()));
    }
    print_summary(generation);
    if (interrupted()) throw Interrupted();
    return generation;
  }

 private:
  Generator generator_;
  SamplingOptions sampling_;
  GenerationOptions options_;
  ExpertPainter painter_;
};

// One message per line of standard input.
void converse(Speaker& speaker, ChatSession& session) {
  const bool at_terminal = is_terminal(STDIN_FILENO);
  if (at_terminal) fmt::print(stderr, "witan: one message per line, Ctrl-D ends\n");
  for (std::string line;;) {
    if (at_terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    session.answered(speaker.speak(session.ask(line), "").text);
  }
}

void translate(GenerateCommand& command, const std::filesystem::path& folder) {
  if (command.has_prompt || command.chat || command.show_experts) {
    fail("generate: {} is an encoder-decoder: it reads a source (--source or --source-file) and has no use for {}",
         folder.string(),
         command.has_prompt ? "--prompt"
         : command.chat     ? "--chat"
                            : "--show-experts");
  }
  if (command.weights == "bf16" || command.weights == "f16") {
    fail("generate: --weights={}: encoder-decoders hold their weights as f32, expected f32 or auto", command.weights);
  }
  TranslateCommand& translation = command.translate;
  translation.folder = folder;
  translation.options.max_tokens = command.max_tokens;
  translation.sampling = command.sampling;
  translation.chosen = command.chosen;
  translation.dry_run = command.dry_run;
  translation.dump = command.dump;
  run_translation(translation);
}

void run_generate(GenerateCommand& command) {
  if (command.threads > 0) set_num_threads(static_cast<int>(command.threads));
  if (!command.system.empty() && !command.chat) {
    fail("generate: --system is what a conversation begins with; add --chat");
  }
  if (command.chosen.contains("layer") && !command.show_experts) {
    fail("generate: --layer says whose experts are shown; add --show-experts");
  }
  const std::filesystem::path folder = find_model_folder(command.folder);
  if (holds_encoder_decoder(folder)) {
    translate(command, folder);
    return;
  }
  if (command.chosen.contains("beams") || command.chosen.contains("length_penalty")) {
    fail("generate: {} is no encoder-decoder: --beams and --length-penalty are for those", folder.string());
  }
  if (command.names_source())
    fail("generate: {} continues a prompt and reads no source: give --prompt", folder.string());
  std::optional<StoredWeights> stored;  // opened once; a plan needs none
  if (has_weights(folder)) stored.emplace(folder);
  const DecoderConfig config = stored ? stored->config() : load_config(folder);
  const std::vector<std::string> dumped = requested_names(command.dump, config);
  if (!dumped.empty() && command.chat && !command.has_prompt) fail("generate: --dump with --chat needs --prompt");
  read_generation_defaults(folder, command.chosen, command.sampling);
  command.ends.max_tokens = command.max_tokens;
  read_generation_ends(folder, command.chosen, command.ends);
  std::unique_ptr<Tokenizer> tokenizer;  // for a plan the size of the prompt is enough
  if (!command.dry_run || has_tokenizer(folder)) tokenizer = load_tokenizer(folder);
  std::optional<ChatSession> session;
  if (command.chat) session.emplace(folder, command.system);
  const std::string prompt = session && command.has_prompt ? session->ask(command.prompt) : command.prompt_text();
  std::vector<std::int32_t> prompt_ids;
  if (tokenizer != nullptr) prompt_ids = session ? tokenizer->encode(prompt) : tokenizer->encode_with_special(prompt);
  const auto prompt_tokens = static_cast<std::int64_t>(tokenizer != nullptr ? prompt_ids.size() : prompt.size());
  const std::int64_t positions =
      std::min(config.max_positions(), prompt_tokens + most_tokens(command.ends, prompt_tokens));
  const Precision weights = command.weights == "f32"    ? Precision::kF32
                            : command.weights == "bf16" ? Precision::kBF16
                            : command.weights == "f16"  ? Precision::kF16
                            : stored                    ? lossless_precision(*stored)
                                                        : stated_precision(folder);
  const RunPlan plan = plan_run(config, positions, weights);
  if (command.dry_run) {
    print_plan(plan, config.model_type, config.max_positions(), positions, folder);
    return;
  }
  const bool asks = session && !command.has_prompt;                  // one message after the other
  if (!asks) require_prompt(prompt_tokens, config.max_positions());  // before minutes of loading
  require_memory(plan, positions);
  fmt::print(stderr, "witan: {}, {}\n", config.model_type, memory_text(plan, positions));
  const std::unique_ptr<Decoder> model = stored ? load_model(*stored, weights) : load_model(folder, weights);
  stored.reset();
  dump(command.dump, dumped, *model, prompt_ids);
  Speaker speaker(*model, *tokenizer, command);
  const InterruptScope scope;
  if (asks) {
    converse(speaker, *session);
  } else {
    speaker.speak(prompt, command.echo && !session ? prompt : "");
  }
}

// Returns --source.
CLI::Option* add_translation_options(CLI::App& command, TranslateCommand& translate) {
  constexpr const char* kGroup = "Encoder-decoders (NLLB-MoE translates, Switch fills the blanks <extra_id_0>, ...)";
  CLI::Option* source =
      command.add_option("--source", translate.source, "What to read, line by line; - and nothing: standard input")
          ->type_name("TEXT")
          ->group(kGroup);
  command.add_option("--source-file", translate.source_file, "The same from a file")->type_name("FILE")->group(kGroup);
  command.add_option("--source-lang", translate.source_language, "Language of the source, as eng_Latn")
      ->type_name("NAME")
      ->group(kGroup);
  command.add_option("--target-lang", translate.target_language, "Language to translate into, as fra_Latn")
      ->type_name("NAME")
      ->group(kGroup);
  bind_fields(command, kGroup, translate.fields());
  return source;
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateCommand>();
  CLI::App* command = app.add_subcommand("generate", "Continue a prompt, chat, or translate with a model");
  command->add_option("folder", options->folder, "A model's folder, or what `witan train --output` wrote")
      ->required()
      ->type_name("FOLDER");
  CLI::Option* prompt =
      command->add_option("--prompt,-p", options->prompt, "The text to continue; without it, standard input")
          ->type_name("TEXT");
  command->add_flag(
      "--chat", options->chat,
      "Answer messages by the model's chat template: that of --prompt, or one per line of standard input");
  command->add_option("--system", options->system, "What stands before the conversation (with --chat)")
      ->type_name("TEXT");
  bind_fields(*command, "Output", options->fields());
  bind_threads(*command, options->threads);
  bind_fields(*command, "Sampling", options->sampling.fields());
  add_dump_options(*command, options->dump);
  CLI::Option* source = add_translation_options(*command, options->translate);
  command->footer(
      "What no flag says follows the model's generation_config.json, where there is one: do_sample (false: "
      "temperature 0, unless --temperature, --top-k, --top-p or --min-p is given), the flags of sampling by their "
      "names, max_new_tokens or max_length, stop_strings, suppress_tokens, begin_suppress_tokens; for "
      "encoder-decoders also num_beams, length_penalty, early_stopping and forced_bos_token_id.");
  command->callback([options, prompt, source, command] {
    options->has_prompt = prompt->count() > 0;
    options->translate.has_source = source->count() > 0;
    for (const Fields& fields : {options->fields(), options->sampling.fields(), options->translate.fields()}) {
      options->chosen.merge(chosen_fields(*command, fields));
    }
    run_generate(*options);
  });
}

}  // namespace witan::cli
