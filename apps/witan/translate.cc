// Lines to ids, ids to the translator, its tokens to standard output.
#include "witan/translate.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "inference/generation_config.h"
#include "inference/plan.h"
#include "inference/source_text.h"
#include "models/encoder_decoder_folder.h"
#include "models/released_files.h"
#include "text/tokenizer_files.h"
#include "witan/run_plan.h"
#include "witan/terminal_text.h"

namespace witan::cli {
namespace {

// Source and target language; empty for models that name none.
struct Languages {
  std::string source;
  std::string target;
};

Languages choose_languages(const TranslateCommand& command, const SourceText& text, bool target_known) {
  if (text.languages().empty()) {
    if (!command.source_language.empty() || !command.target_language.empty()) {
      fail("generate: --source-lang and --target-lang are for models that translate; this one names no languages");
    }
    return {};
  }
  Languages languages{command.source_language.empty() ? text.default_source() : command.source_language,
                      command.target_language.empty() ? text.default_target() : command.target_language};
  text.language_token(languages.source);
  if (!languages.target.empty()) {
    text.language_token(languages.target);
  } else if (!target_known) {
    fail("generate: --target-lang is missing: this model translates into {} languages, such as {}",
         text.languages().size(), text.languages().front());
  }
  return languages;
}

// What is known of the source beforehand; nothing when standard input will say it.
std::optional<std::vector<std::string>> source_lines(const TranslateCommand& command) {
  if (!command.source_file.empty()) {
    if (command.has_source) fail("generate: --source and --source-file are both given, expected one");
    return lines_of(read_text_file(command.source_file));
  }
  if (command.has_source && command.source != "-") return lines_of(command.source);
  return std::nullopt;
}

void emit(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

// What all lines took together.
struct Totals {
  std::int64_t source_tokens = 0;
  std::int64_t tokens = 0;
  double source_seconds = 0.0;
  double seconds = 0.0;

  void add(const Generation& generation) {
    source_tokens += generation.prompt_tokens;
    tokens += static_cast<std::int64_t>(generation.ids.size());
    source_seconds += generation.prefill_seconds;
    seconds += generation.decode_seconds;
  }
  void print() const {
    fmt::print(stderr, "witan: {} source token{} in {:.2f} s, {} token{} in {:.2f} s ({:.0f} tokens/s)\n",
               source_tokens, source_tokens == 1 ? "" : "s", source_seconds, tokens, tokens == 1 ? "" : "s", seconds,
               seconds > 0.0 ? static_cast<double>(tokens) / seconds : 0.0);
  }
};

// Without its end, be it "\n" or "\r\n". Throws Error for a line that is longer than any readable one before it takes
// more memory.
bool next_line(std::istream& stream, std::string& line) {
  constexpr std::size_t kLongestToken = 64;  // bytes, far beyond the mean
  constexpr std::size_t kMostBytes = kLongestSource * kLongestToken;
  using Traits = std::istream::traits_type;
  line.clear();
  Traits::int_type next = stream.rdbuf()->sbumpc();
  if (Traits::eq_int_type(next, Traits::eof())) return false;
  for (; !Traits::eq_int_type(next, Traits::eof()) && next != '\n'; next = stream.rdbuf()->sbumpc()) {
    if (line.size() == kMostBytes) {
      fail("a line has more than {} bytes, expected a text of at most {} tokens; cut long lines", kMostBytes,
           kLongestSource);
    }
    line += Traits::to_char_type(next);
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

struct TranslationPlan {
  RunPlan run;
  std::int64_t positions = 0;  // of the source and all outputs
};

TranslationPlan plan_translation(const EncoderDecoderConfig& config, const TranslationOptions& options,
                                 std::int64_t longest) {
  const std::int64_t output = options.max_tokens + 1;  // the start token
  return {plan_run(config, longest, output, options.beams.beams), longest + options.beams.beams * output};
}

// The most tokens of a line; `otherwise` when standard input will say the lines.
std::int64_t longest_line(const std::optional<std::vector<std::string>>& lines, std::int64_t otherwise,
                          const std::function<std::size_t(const std::string&)>& tokens_of) {
  if (!lines) return otherwise;
  std::size_t longest = 1;
  for (const std::string& line : *lines) longest = std::max(longest, tokens_of(line));
  return static_cast<std::int64_t>(longest);
}

void translate_lines(const std::optional<std::vector<std::string>>& lines,
                     const std::function<void(const std::string&)>& translate) {
  if (lines) {
    for (const std::string& line : *lines) translate(line);
    return;
  }
  if (is_terminal(STDIN_FILENO)) fmt::print(stderr, "witan: one source per line, Ctrl-D ends\n");
  for (std::string line; next_line(std::cin, line);) translate(line);
}

}  // namespace

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; next_line(stream, line);) lines.push_back(line);
  return lines;
}

Fields TranslateCommand::fields() {
  constexpr std::int64_t kMostBeams = 1 << 10;
  Fields fields("translate");
  fields
      .integer("beams", options.beams.beams, 1, kMostBeams,
               "Outputs that are followed at a time; 1: the most probable token, or a drawn one")
      .real("length_penalty", options.beams.length_penalty, -100.0, 100.0,
            "With beams: log-probabilities are divided by length^this; above 0 longer outputs gain");
  return fields;
}

void run_translation(TranslateCommand& command) {
  const std::filesystem::path& folder = command.folder;
  const EncoderDecoderConfig config = load_encoder_decoder_config(folder);
  const std::vector<std::string> dumped = requested_names(command.dump, config);
  TranslationOptions& options = command.options;
  read_translation_defaults(folder, command.chosen, command.sampling, options);
  const std::optional<std::vector<std::string>> lines = source_lines(command);
  const auto plan_for = [&](const std::function<std::size_t(const std::string&)>& tokens_of) {
    return plan_translation(config, options, longest_line(lines, options.max_tokens, tokens_of));
  };
  if (command.dry_run && !has_tokenizer(folder)) {
    const TranslationPlan plan = plan_for([](const std::string& line) { return line.size() + 2; });  // a token per byte
    print_plan(plan.run, config.model_type, 0, plan.positions, folder);
    return;
  }
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  const SourceText text(folder, config, *tokenizer);
  const Languages languages = choose_languages(command, text, options.first_token.has_value());
  if (!languages.target.empty()) options.first_token = text.language_token(languages.target);
  if (options.first_token && *options.first_token >= config.vocab_size) {
    fail("{}: forced_bos_token_id={} is no token of a model with vocab_size={}", (folder / kGenerationFile).string(),
         *options.first_token, config.vocab_size);
  }
  options.special = text.languages().empty() ? SpecialTokens::kKeep : SpecialTokens::kSkip;
  const TranslationPlan plan =
      plan_for([&](const std::string& line) { return text.ids(line, languages.source).size(); });
  if (command.dry_run) {
    print_plan(plan.run, config.model_type, 0, plan.positions, folder);
    return;
  }
  require_memory(plan.run, plan.positions);
  fmt::print(stderr, "witan: {}{}, {}\n", config.model_type,
             languages.source.empty() ? "" : fmt::format(", {} to {}", languages.source, languages.target),
             memory_text(plan.run, plan.positions));
  const std::unique_ptr<EncoderDecoder> model = load_encoder_decoder(folder);
  if (!dumped.empty()) {
    if (!lines || lines->empty()) fail("generate: --dump needs --source or --source-file");
    std::vector<std::int32_t> output = {static_cast<std::int32_t>(config.decoder_start_token_id)};
    if (options.first_token) output.push_back(*options.first_token);
    dump(command.dump, dumped, *model, text.ids(lines->front(), languages.source), output);
  }
  const Translator translator(*model, *tokenizer);
  const InterruptScope scope;
  Totals totals;
  translate_lines(lines, [&](const std::string& line) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      const Generation generation = translator.translate(text.ids(line, languages.source), command.sampling, options,
                                                         [](const GeneratedToken& token) {
                                                           emit(for_standard_output(token.text));
                                                           return !interrupted();
                                                         });
      emit(for_standard_output(generation.tail));
      totals.add(generation);
    }
    emit("\n");
    throw_if_interrupted();
  });
  totals.print();
}

}  // namespace witan::cli
