// What the encoder of an encoder-decoder reads of a text: its tokens, and for models that name languages (NLLB) the
// token of the language around them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "models/encoder_decoder_config.h"
#include "text/tokenizer.h"

namespace witan {

// Nothing that is said in one piece has as many tokens, and the time to read it grows with the square.
inline constexpr std::size_t kLongestSource = std::size_t{1} << 16;
// Throws Error for more tokens.
void require_readable(std::size_t tokens);

class SourceText {
 public:
  // Reads tokenizer_config.json in `folder`, where it is there: "src_lang", "tgt_lang" and "legacy_behaviour" of
  // transformers' NllbTokenizer. `tokenizer` must outlive this. Throws Error when a model that names languages has a
  // tokenizer without any.
  SourceText(const std::filesystem::path& folder, const EncoderDecoderConfig& config, const Tokenizer& tokenizer);

  // "ace_Arab", "fra_Latn", ... in the order of their ids: the added special tokens of the form xxx_Xxxx. Empty for
  // models that name none.
  const std::vector<std::string>& languages() const { return languages_; }
  // What the tokenizer's files name; a source without a word is English, as transformers has it.
  const std::string& default_source() const { return default_source_; }
  const std::string& default_target() const { return default_target_; }  // empty: none

  // The token of a language. Throws Error naming the nearest ones.
  std::int32_t language_token(const std::string& language) const;
  // "<language> text </s>" (NLLB Team et al. 2022, section 6.1.1), or with legacy_behaviour "text </s> <language>",
  // which transformers wrote before April 2023; other models get what their tokenizer puts around a text, and an empty
  // `language`. Throws Error for an unknown language, and for more than kLongestSource tokens.
  std::vector<std::int32_t> ids(std::string_view text, const std::string& language) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> languages_;
  std::string default_source_ = "eng_Latn";
  std::string default_target_;
  bool legacy_ = false;
  std::int32_t end_token_ = -1;
};

}  // namespace witan
