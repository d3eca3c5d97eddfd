// Text to token ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"

namespace witan {

// Whether tokens that are no text, such as the end of a text, are shown by their names.
enum class SpecialTokens { kSkip, kKeep };

// Ids to text, one at a time. Every piece of text is whole characters; all pieces together are what decoding the whole
// list gives.
class TextStream {
 public:
  TextStream() = default;
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;
  virtual ~TextStream() = default;
  // The text that became complete with this token.
  virtual std::string push(std::int32_t id) = 0;
  // What is left, with U+FFFD for characters that stayed incomplete.
  virtual std::string finish() = 0;
};

class Tokenizer {
 public:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  virtual std::int64_t vocab_size() const = 0;
  // Adds no special tokens. A tokenizer of a released model takes the names of special tokens in the text for them, as
  // chat templates want it, and may lose some of the text in normalising; our own two lose nothing:
  // decode(encode(text))
  // == text. Bytes that are not UTF-8 are U+FFFD for those that know characters only.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // With the special tokens that the model expects around a text.
  virtual std::vector<std::int32_t> encode_with_special(std::string_view text) const;
  // The bytes that one token adds in the middle of a text (may be part of a character); none for a special token.
  virtual std::string token_bytes(std::int32_t id) const = 0;
  virtual std::string decode(const std::vector<std::int32_t>& ids, SpecialTokens special = SpecialTokens::kSkip) const;
  // The tokenizer outlives the stream.
  virtual std::unique_ptr<TextStream> stream(SpecialTokens special = SpecialTokens::kSkip) const;
  // The id of a token by its text; -1: no such token, or none that has a name.
  virtual std::int32_t token_id(std::string_view /*token*/) const { return -1; }
  // The special tokens that were added to the vocabulary, in the order of their ids.
  virtual std::vector<std::string> added_special_tokens() const { return {}; }
  virtual std::int32_t bos_id() const = 0;  // -1: none. Stands between documents in training
  virtual std::int32_t eos_id() const = 0;  // -1: none
  // What a Hugging Face directory holds: tokenizer.model and/or tokenizer.json, tokenizer_config.json.
  virtual void save(const std::filesystem::path& folder) const = 0;
};

// Holds back bytes until they make whole characters.
class StreamDecoder {
 public:
  // The text that became complete with these bytes; invalid sequences come out as U+FFFD.
  std::string push(std::string_view bytes);
  // What is left, as U+FFFD if incomplete.
  std::string finish();

 private:
  std::string pending_;
};

std::unique_ptr<Tokenizer> make_byte_tokenizer();
enum class VocabSize { kExactly, kAtMost };
// SentencePiece BPE with byte fallback, identity normalisation, nothing lost. Sentences are sampled deterministically.
// kAtMost: less for a short text, so that the rarest merge is still met about three times in it; kExactly: Error when
// the text is too small for vocab_size, naming the largest size possible.
std::unique_ptr<Tokenizer> train_sentencepiece(const std::vector<std::string_view>& texts, std::int64_t vocab_size,
                                               std::uint64_t seed, VocabSize how = VocabSize::kExactly,
                                               const ProgressOptions& progress = {});
// What save() wrote, and the files of released models (tokenizer_files.h): a tokenizer.model that loses nothing (ours)
// when a tokenizer.json beside it says nothing else, else a tokenizer.json with what stands beside it, else a
// SentencePiece model with that. Throws Error naming the files looked for.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);
// One tokenizer.json alone, without the files beside it.
std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& file);

}  // namespace witan
