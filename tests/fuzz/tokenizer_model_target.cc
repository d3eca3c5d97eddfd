// tokenizer.model of SentencePiece, and what the tokenizer then does with text.
#include "base/error.h"
#include "base/file.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"
#include "text/bpe_tokenizer.h"

namespace witan::fuzz {
namespace tokenizer_model_fuzz {

std::vector<std::string> seeds() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "a line of words, übung 日本 and number " + std::to_string(i) + "\n\n";
  std::vector<std::string> models;
  for (const std::int64_t vocab_size : {262, 290}) {
    const test::TemporaryFolder folder;
    train_sentencepiece({text}, vocab_size, 0)->save(folder.path());
    models.push_back(read_text_file(folder / "tokenizer.model"));
  }
  return models;
}

void run(std::string_view input) {
  try {
    const BpeTokenizer tokenizer{std::string(input), "input"};
    for (const std::string_view text :
         {"", "a line of words", "  two\n\nlines \n", "\u2581<s></s>\t\x01 日本 übung", "wwwwwwwwwwwwwwwwwwwww"}) {
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
