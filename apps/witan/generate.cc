// `witan generate`: continues a prompt.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "inference/generator.h"
#include "models/checkpoint_folder.h"
#include "witan/commands.h"
#include "witan/expert_painter.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/terminal_text.h"

namespace witan::cli {
namespace {

struct GenerateCommand {
  std::string folder;
  std::string prompt;
  bool has_prompt = false;
  std::int64_t max_tokens = 256;
  bool echo = true;
  bool show_experts = false;
  std::int64_t layer = -1;
  std::int64_t threads = 0;
  SamplingOptions sampling;

  Fields fields() {
    constexpr std::int64_t kMany = 1 << 30;
    Fields fields("generate");
    fields.integer("max_tokens", max_tokens, 0, kMany, "Tokens to generate, unless the text ends before")
        .flag("echo", echo, "Print the prompt before its continuation")
        .flag("show_experts", show_experts, "Colour each token by the expert that served it, or mark it [e3]")
        .integer("layer", layer, -1, kMany, "Whose experts to show; -1: the middle one of those with a mixture")
        .integer("threads", threads, 0, 1024, "Threads to compute with; 0: OMP_NUM_THREADS or all cores");
    return fields;
  }
};

std::string prompt_from_stdin() {
  constexpr int kStdin = 0;
  if (is_terminal(kStdin)) fmt::print(stderr, "witan: type the prompt, then Ctrl-D\n");
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  if (text.ends_with('\n')) text.pop_back();  // of the last line, which `echo` and editors add
  return text;
}

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
    case StopReason::kContextFull:
      return "; the model's context is full";
    case StopReason::kCallback:
      return "; interrupted";
  }
  return "";
}

double rate(double count, double seconds) { return seconds > 0.0 ? count / seconds : 0.0; }

void print_summary(const Generation& generation) {
  const auto tokens = static_cast<double>(generation.ids.size());
  fmt::print(stderr, "witan: {} prompt tokens in {:.2f} s, {} tokens in {:.2f} s ({:.0f} tokens/s){}\n",
             generation.prompt_tokens, generation.prefill_seconds, generation.ids.size(), generation.decode_seconds,
             rate(tokens, generation.decode_seconds), reason(generation.stop));
}

void run_generate(GenerateCommand& command) {
  if (command.threads > 0) set_num_threads(static_cast<int>(command.threads));
  const std::filesystem::path folder = find_model_folder(command.folder);
  const std::unique_ptr<Decoder> model = load_model(folder);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  Generator generator(*model, *tokenizer);

  GenerationOptions options;
  options.max_tokens = command.max_tokens;
  if (command.show_experts) {
    options.observed_layer = command.layer >= 0 ? command.layer : middle_mixture(model->config());
  }
  ExpertPainter painter(detect_color_mode(), model->config().moe.num_experts);
  const std::string prompt = command.has_prompt ? command.prompt : prompt_from_stdin();

  // A program that reads the output gets every byte; a terminal would obey some of them.
  const bool to_terminal = ::isatty(STDOUT_FILENO) == 1;
  const auto shown = [&](const std::string& text) { return to_terminal ? visible_controls(text) : text; };

  const InterruptScope scope;
  bool echoed = !command.echo;
  const auto echo = [&] {  // only when nothing can be refused any more
    if (!echoed) print(shown(prompt));
    echoed = true;
  };
  const Generation generation = generator.generate(prompt, command.sampling, options, [&](const GeneratedToken& token) {
    echo();
    const std::int32_t expert = token.experts.experts.empty() ? -1 : token.experts.experts.front();
    print(painter.paint(shown(token.text), expert));
    return !interrupted();
  });
  echo();
  print(generation.tail + "\n");
  if (command.show_experts) {
    print(fmt::format("experts of layer {}: {}\n", *options.observed_layer, painter.legend()));
  }
  print_summary(generation);
  if (interrupted()) throw Interrupted();
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateCommand>();
  CLI::App* command = app.add_subcommand("generate", "Continue a prompt with a trained model");
  command->add_option("folder", options->folder, "A model's folder, or what `witan train --output` wrote")
      ->required()
      ->type_name("FOLDER");
  CLI::Option* prompt =
      command->add_option("--prompt,-p", options->prompt, "The text to continue; without it, standard input")
          ->type_name("TEXT");
  bind_fields(*command, "Output", options->fields());
  bind_fields(*command, "Sampling", options->sampling.fields());
  command->callback([options, prompt] {
    options->has_prompt = prompt->count() > 0;
    run_generate(*options);
  });
}

}  // namespace witan::cli
