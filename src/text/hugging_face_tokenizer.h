// A tokenizer made of the parts that a tokenizer.json names: added tokens, normaliser, pre-tokenizer, model,
// post-processor, decoder. Gives the ids and the text of Hugging Face's tokenizers 0.23, without its offsets,
// truncation and padding, which are a caller's choice and not the model's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "text/kept_files.h"
#include "text/special_token_names.h"
#include "text/tokenizer.h"

namespace witan {

struct TokenizerDocument;

class HuggingFaceTokenizer : public Tokenizer {
 public:
  // `files`: what save() writes. Throws Error naming the place in the document for a part that is unknown or
  // broken.
  HuggingFaceTokenizer(const TokenizerDocument& document, const SpecialTokenNames& names, KeptFiles files);
  ~HuggingFaceTokenizer() override;

  std::int64_t vocab_size() const override { return vocab_size_; }
  std::vector<std::int32_t> encode(std::string_view text) const override;
  std::vector<std::int32_t> encode_with_special(std::string_view text) const override;
  std::string token_bytes(std::int32_t id) const override;
  std::string decode(const std::vector<std::int32_t>& ids, SpecialTokens special) const override;
  std::unique_ptr<TextStream> stream(SpecialTokens special) const override;
  std::int32_t token_id(std::string_view token) const override;
  std::vector<std::string> added_special_tokens() const override;
  std::int32_t bos_id() const override { return bos_id_; }
  std::int32_t eos_id() const override { return eos_id_; }
  void save(const std::filesystem::path& folder) const override;

 private:
  struct Parts;
  class Work;   // what encoding one text at a time needs
  class Lease;  // of a Work
  class Stream;

  // The token as decoding takes it; nothing to say: false.
  bool decoded_token(std::int32_t id, SpecialTokens special, std::string_view& token) const;

  std::unique_ptr<const Parts> parts_;
  SpecialTokenNames names_;
  KeptFiles files_;
  std::int64_t vocab_size_ = 0;
  std::int32_t bos_id_ = -1;
  std::int32_t eos_id_ = -1;
  // Threads take their own; a word that was seen stays known from one text to the next.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Work>> idle_;
};

}  // namespace witan
