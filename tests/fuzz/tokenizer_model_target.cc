// tokenizer.model of SentencePiece, ours and others', and what the tokenizer then does with text.
#include <sentencepiece_trainer.h>

#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/utf8.h"

namespace witan::fuzz {
namespace tokenizer_model_fuzz {

// What a released folder without a tokenizer.json may hold.
std::string others_model(const std::string& text, std::unordered_map<std::string, std::string> options) {
  const test::TemporaryFolder folder;
  overwrite(folder / "text", text);
  options.merge(std::unordered_map<std::string, std::string>{{"input", (folder / "text").string()},
                                                             {"hard_vocab_limit", "false"},
                                                             {"self_test_sample_size", "0"},
                                                             {"user_defined_symbols", "of,words"},
                                                             {"vocab_size", "80"},
                                                             {"minloglevel", "4"}});
  std::string model;
  require(sentencepiece::SentencePieceTrainer::Train(options, nullptr, &model).ok(), "a seed that cannot be trained");
  return model;
}

std::vector<std::string> seeds() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "a line of words, übung 日本 and number " + std::to_string(i) + "\n\n";
  std::vector<std::string> models;
  for (const std::int64_t vocab_size : {262, 290}) {
    const test::TemporaryFolder folder;
    train_sentencepiece({text}, vocab_size, 0)->save(folder.path());
    models.push_back(read_text_file(folder / "tokenizer.model"));
  }
  models.push_back(others_model(text, {{"model_type", "unigram"}, {"normalization_rule_name", "nfkc"}}));
  models.push_back(others_model(text, {{"model_type", "bpe"}, {"normalization_rule_name", "identity"}}));
  return models;
}

constexpr std::string_view kTexts[] = {"", "a line of words", "  two\n\nlines \n", "\u2581<s></s>\t\x01 日本 übung ﬁ",
                                       "wwwwwwwwwwwwwwwwwwwww"};

void run_as_others(std::string_view input, SentencePieceFamily family) {
  try {
    SentencePieceSettings settings;
    settings.family = family;
    settings.legacy = family == SentencePieceFamily::kT5;
    const SentencePieceTokenizer tokenizer(parse_sentencepiece_model(input, "input"), settings, "input", {});
    for (const std::string_view text : kTexts) {
      const std::vector<std::int32_t> ids = tokenizer.encode(text);
      for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size(), "an id beyond the vocabulary");
      require(find_invalid_utf8(tokenizer.decode(ids, SpecialTokens::kKeep)) == std::string_view::npos,
              "a text that is no UTF-8");
    }
  } catch (const Error&) {
  }
}

void run(std::string_view input) {
  for (const auto family : {SentencePieceFamily::kLlama, SentencePieceFamily::kT5, SentencePieceFamily::kNllb}) {
    run_as_others(input, family);
  }
  try {
    const BpeTokenizer tokenizer{std::string(input), "input"};
    for (const std::string_view text : kTexts) {
      const std::vector<std::int32_t> ids = tokenizer.encode(text);
      for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size(), "an id beyond the vocabulary");
      require(tokenizer.decode(ids) == text, "a text that does not come back");
    }
  } catch (const Error&) {
  }
}

}  // namespace tokenizer_model_fuzz

Target tokenizer_model_target() { return {"tokenizer_model", tokenizer_model_fuzz::seeds, tokenizer_model_fuzz::run}; }

}  // namespace witan::fuzz
