// From paths to tokens.
#include "witan/run_data.h"

#include <fmt/core.h>

#include <bit>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "models/checkpoint_folder.h"
#include "text/tokenizer_files.h"
#include "witan/samples.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

RunData tokenized(Corpus corpus, std::shared_ptr<const Tokenizer> tokenizer, const TrainSettings& settings,
                  const RunFolder& folder) {
  throw_if_interrupted();
  RunData data;
  data.tokens = tokenize_corpus(corpus, *tokenizer, folder.cache(), stderr_progress());
  throw_if_interrupted();
  data.heldout_text = heldout_text(corpus);
  data.prompts = choose_prompts(corpus, *tokenizer, settings.model.max_position_embeddings);
  data.domains = std::move(corpus.domains);
  data.train_bytes = corpus.train_bytes;
  data.heldout_bytes = corpus.heldout_bytes;
  data.content_key = std::move(corpus.content_key);
  data.tokenizer = std::move(tokenizer);
  return data;
}

// The longest power of two of which the text holds one sequence and the token after it.
void shorten_sequences(TrainSettings& settings, RunData& data) {
  const std::size_t tokens = data.tokens.train->tokens().size();
  std::int64_t& length = settings.data.sequence_length;
  if (tokens < 2 || tokens > static_cast<std::size_t>(length)) return;
  const auto shorter = static_cast<std::int64_t>(std::bit_floor(tokens - 1));
  data.notes.push_back(fmt::format("sequences: {} tokens, not {}: the text has {} tokens", shorter, length, tokens));
  length = shorter;
}

}  // namespace

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> result;
  result.reserve(paths.size());
  for (const std::string& path : paths) {
    result.push_back(std::filesystem::absolute(path).lexically_normal().string());
  }
  return result;
}

Corpus read_run_corpus(const TrainSettings& settings) {
  DataOptions options;
  options.paths.assign(settings.data.paths.begin(), settings.data.paths.end());
  options.lossy = settings.data.lossy;
  options.heldout_share = settings.data.heldout_share;
  options.progress = stderr_progress();
  return read_corpus(options);
}

std::unique_ptr<Tokenizer> given_tokenizer(const TrainSettings& settings, const std::set<std::string>& chosen) {
  const std::string& name = settings.data.tokenizer;
  if (name == "sentencepiece") return nullptr;
  if (name != "bytes" && !std::filesystem::is_directory(name)) {
    fail("data.tokenizer: '{}' is neither sentencepiece nor bytes nor a folder with a tokenizer", name);
  }
  const std::filesystem::path of_run = whole_folder(std::filesystem::path(name) / "model");
  const bool is_run = !has_tokenizer(name) && has_tokenizer(of_run);
  std::unique_ptr<Tokenizer> tokenizer =
      name == "bytes" ? make_byte_tokenizer() : load_tokenizer(is_run ? of_run : std::filesystem::path(name));
  const std::int64_t size = tokenizer->vocab_size();
  if (settings.from.empty() && chosen.contains("vocab_size") && settings.model.vocab_size != size) {
    fail("vocab_size: {}, but the tokenizer '{}' has {} tokens; leave --vocab-size out", settings.model.vocab_size,
         name, size);
  }
  return tokenizer;
}

std::unique_ptr<Tokenizer> train_run_tokenizer(const TrainSettings& settings, const std::set<std::string>& chosen,
                                               const Corpus& corpus) {
  std::vector<std::string_view> texts;
  for (const Document& document : corpus.train) texts.emplace_back(document.text);
  // A vocabulary size that nobody chose is the most that a short text may have.
  const VocabSize how = chosen.contains("vocab_size") ? VocabSize::kExactly : VocabSize::kAtMost;
  return train_sentencepiece(texts, settings.model.vocab_size, static_cast<std::uint64_t>(settings.seed), how,
                             stderr_progress());
}

RunData prepare_data(TrainSettings& settings, const std::set<std::string>& chosen, const RunFolder& folder) {
  std::shared_ptr<const Tokenizer> tokenizer = given_tokenizer(settings, chosen);  // before any text is read
  Corpus corpus = read_run_corpus(settings);
  throw_if_interrupted();
  const std::int64_t wanted = settings.model.vocab_size;
  if (!tokenizer) tokenizer = train_run_tokenizer(settings, chosen, corpus);
  if (settings.from.empty()) {
    settings.model.vocab_size = tokenizer->vocab_size();
  } else if (tokenizer->vocab_size() > settings.model.vocab_size) {
    fail("{}: its tokenizer has {} tokens, its model only vocab_size={}", settings.from, tokenizer->vocab_size(),
         settings.model.vocab_size);
  }
  RunData data = tokenized(std::move(corpus), std::move(tokenizer), settings, folder);
  for (const std::string& path : settings.data.paths) {
    if (std::filesystem::is_regular_file(path) || std::filesystem::is_directory(path)) continue;
    data.notes.push_back(fmt::format("{}: can be read only once, so this run cannot be resumed", path));
  }
  if (settings.data.tokenizer == "sentencepiece" && settings.model.vocab_size < wanted) {
    data.notes.push_back(fmt::format("vocabulary: {} tokens, not {}: as many as {} of text support",
                                     settings.model.vocab_size, wanted,
                                     size_text(static_cast<double>(data.train_bytes))));
  }
  if (!chosen.contains("sequence_length")) shorten_sequences(settings, data);
  return data;
}

RunData resume_data(const TrainingState& saved, const TrainSettings& settings, const RunFolder& folder) {
  Corpus corpus = read_run_corpus(settings);
  if (corpus.content_key != saved.content_key) {
    fail("{}: the text has changed since this run was started", folder.checkpoint().string());
  }
  return tokenized(std::move(corpus), load_tokenizer(folder.checkpoint()), settings, folder);
}

void save_model_folder(const Decoder& model, const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  write_folder(folder, [&](const std::filesystem::path& temporary) {
    save_model(model, temporary);
    tokenizer.save(temporary);
  });
}

}  // namespace witan::cli
