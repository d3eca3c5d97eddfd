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

class Tokenizer {
 public:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  virtual std::int64_t vocab_size() const = 0;
  // Without special tokens. Lossless: decode(encode(text)) == text for valid UTF-8.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // The bytes of one token (may be part of a character).
  virtual std::string token_bytes(std::int32_t id) const = 0;
  std::string decode(const std::vector<std::int32_t>& ids) const;  // concatenated token_bytes
  virtual std::int32_t bos_id() const = 0;                         // -1: none. Stands between documents in training
  virtual std::int32_t eos_id() const = 0;                         // -1: none
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
// Reads what save() wrote. Throws Error naming the files looked for.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace witan
