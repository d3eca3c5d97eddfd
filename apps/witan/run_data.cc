// From paths to tokens.
#include "witan/run_data.h"

#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "models/checkpoint_folder.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

RunData tokenized(Corpus corpus, std::shared_ptr<const Tokenizer> tokenizer, const RunFolder& folder) {
  throw_if_interrupted();
  TokenizedCorpus tokens = tokenize_corpus(corpus, *tokenizer, folder.cache(), stderr_progress());
  throw_if_interrupted();
  return {std::move(corpus), std::move(tokenizer), std::move(tokens)};
}

}  // namespace

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> result;
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
  return read_corpus(options);
}

std::unique_ptr<Tokenizer> make_run_tokenizer(const TrainSettings& settings, const Corpus& corpus) {
  const std::string& name = settings.data.tokenizer;
  if (name == "bytes") return make_byte_tokenizer();
  if (name == "sentencepiece") {
    std::vector<std::string_view> texts;
    for (const Document& document : corpus.train) texts.emplace_back(document.text);
    return train_sentencepiece(texts, settings.model.vocab_size, static_cast<std::uint64_t>(settings.seed));
  }
  if (!std::filesystem::is_directory(name)) {
    fail("data.tokenizer: '{}' is neither sentencepiece nor bytes nor a folder with a tokenizer", name);
  }
  return load_tokenizer(name);
}

RunData prepare_data(TrainSettings& settings, const RunFolder& folder) {
  Corpus corpus = read_run_corpus(settings);
  throw_if_interrupted();
  std::shared_ptr<const Tokenizer> tokenizer = make_run_tokenizer(settings, corpus);
  settings.model.vocab_size = tokenizer->vocab_size();
  return tokenized(std::move(corpus), std::move(tokenizer), folder);
}

RunData resume_data(const TrainSettings& settings, const RunFolder& folder) {
  return tokenized(read_run_corpus(settings), load_tokenizer(folder.checkpoint()), folder);
}

void save_model_folder(const Decoder& model, const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  write_folder(folder, [&](const std::filesystem::path& temporary) {
    save_model(model, temporary);
    tokenizer.save(temporary);
  });
}

}  // namespace witan::cli
