// The tokenizer of a released folder that has a SentencePiece model and no tokenizer.json: added tokens are found in
// the text, the model encodes what is between them, as the slow tokenizers of transformers have it. Our own models are
// bpe_tokenizer.h's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/kept_files.h"
#include "text/sentencepiece_encoder.h"
#include "text/sentencepiece_settings.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace witan {

class SentencePieceTokenizer : public Tokenizer {
 public:
  // `file`: the model's name, for messages. `files`: what save() writes. Throws Error for a model that is not followed
  // (sentencepiece_encoder.h).
  SentencePieceTokenizer(SentencePieceModel model, SentencePieceSettings settings, const std::string& file,
                         KeptFiles files);

  std::int64_t vocab_size() const override { return vocab_size_; }
  std::vector<std::int32_t> encode(std::string_view text) const override;
  std::vector<std::int32_t> encode_with_special(std::string_view text) const override;
  std::string token_bytes(std::int32_t id) const override;
  // One space at the beginning of all is taken for the one that encoding adds.
  std::string decode(const std::vector<std::int32_t>& ids, SpecialTokens special) const override;
  std::unique_ptr<TextStream> stream(SpecialTokens special) const override;
  std::int32_t token_id(std::string_view token) const override;
  std::vector<std::string> added_special_tokens() const override { return added_.special_texts(); }
  std::int32_t bos_id() const override { return bos_id_; }
  std::int32_t eos_id() const override { return eos_id_; }
  void save(const std::filesystem::path& folder) const override;

 private:
  class Stream;

  std::vector<std::int32_t> encode_legacy(std::string_view text) const;
  std::vector<std::int32_t> encode_with_one_prefix(std::string_view text) const;
  void append(std::string_view text, SentencePieceNormalizer::Start start, std::vector<std::int32_t>& ids) const;
  bool begins_with_space() const;  // whether a text gets one
  // What a token says, with its spaces as spaces.
  std::string text_of(std::int32_t id, SpecialTokens special) const;

  SentencePieceSettings settings_;
  Vocabulary vocabulary_;
  SentencePieceEncoder encoder_;
  AddedTokens added_;
  KeptFiles files_;
  std::vector<std::string> texts_;  // what each piece adds to a text, by the family's ids
  std::int64_t vocab_size_ = 0;
  std::int32_t bos_id_ = -1;
  std::int32_t eos_id_ = -1;
  std::int32_t language_id_ = -1;
};

// From a folder: the model and what stands beside it.
std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const SentencePieceFile& file);

}  // namespace witan
