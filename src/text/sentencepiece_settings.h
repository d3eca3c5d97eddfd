// What transformers keeps beside a SentencePiece model without a tokenizer.json: which of its tokenizers the model is
// for, and the tokens that are added to its vocabulary. Reads files; encodes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/sentencepiece_model.h"
#include "text/vocabulary.h"

namespace witan {

// By the file that each of them looks for: tokenizer.model, spiece.model, sentencepiece.bpe.model.
enum class SentencePieceFamily { kLlama, kT5, kNllb };

// The model file in a folder, the most usual name first; none: no such file.
struct SentencePieceFile {
  std::filesystem::path path;
  SentencePieceFamily family = SentencePieceFamily::kLlama;
};
std::optional<SentencePieceFile> find_sentencepiece_file(const std::filesystem::path& folder);

struct SentencePieceSettings {
  SentencePieceFamily family = SentencePieceFamily::kLlama;
  // Before transformers' pull requests 24622 and 25224: every stretch of text between added tokens begins with a space
  // of its own.
  bool legacy = true;
  bool adds_prefix_space = true;  // without `legacy`
  bool adds_bos = false;
  bool adds_eos = false;
  bool language_behind = false;  // NLLB: "text </s> language", not "language text </s>"
  std::string language;          // NLLB: of the source
  std::string bos;               // empty: none
  std::string eos;
  std::string unknown;
  std::vector<AddedToken> added;  // with their ids
};

// Of LlamaTokenizer, T5Tokenizer and NllbTokenizer of transformers 4.57, the slow ones, from tokenizer_config.json,
// special_tokens_map.json and added_tokens.json in `folder`, where they are there. Languages get the ids behind the
// model's and <mask> the one behind theirs, as in NLLB's releases. Throws Error naming file and key for another class
// of tokenizer, values of another type, ids out of range, and NLLB without languages.
SentencePieceSettings read_sentencepiece_settings(const std::filesystem::path& folder, SentencePieceFamily family,
                                                  const SentencePieceModel& model);

// The ids that a family gives to the pieces of a model. NLLB's begin with <s>, <pad>, </s>, <unk>, then come the pieces
// behind the model's first three. Throws Error naming `file` when those are not <unk>, <s>, </s>.
Vocabulary family_vocabulary(SentencePieceFamily family, const SentencePieceModel& model, const std::string& file);
// From the id in the model.
std::int32_t family_id(SentencePieceFamily family, std::int32_t piece, std::int32_t unknown_piece);

}  // namespace witan
