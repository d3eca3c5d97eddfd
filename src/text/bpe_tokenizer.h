// Byte-pair encoding with the pieces of a SentencePiece model and bytes for every character without a piece. Nothing is
// normalised, added or removed, so decoding gives the text back byte for byte.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.h"

namespace witan {

class BpeTokenizer : public Tokenizer {
 public:
  // `model_bytes`: a tokenizer.model of type BPE with byte fallback, identity normalisation and no dummy prefix. Throws
  // Error naming `file` for anything else.
  BpeTokenizer(std::string model_bytes, const std::string& file);

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(bytes_.size()); }
  // The ids that SentencePiece gives. U+2581, which SentencePiece could not tell from a space, and bytes that are not
  // UTF-8 come out as byte tokens.
  std::vector<std::int32_t> encode(std::string_view text) const override;
  std::string token_bytes(std::int32_t id) const override;
  std::int32_t bos_id() const override { return bos_id_; }
  std::int32_t eos_id() const override { return eos_id_; }
  // tokenizer.model, and tokenizer.json with tokenizer_config.json and special_tokens_map.json for Hugging Face.
  void save(const std::filesystem::path& folder) const override;

 private:
  struct Merge {
    std::int32_t rank = 0;  // lower merges first
    std::int32_t id = 0;    // of the merged piece
  };
  struct Symbol {
    std::int32_t id = 0;  // of a piece; -1: no piece, comes out as bytes
    std::int32_t previous = 0;
    std::int32_t next = 0;
    std::uint32_t begin = 0;  // bytes in the word
    std::uint32_t length = 0;
  };
  struct Candidate {
    std::int32_t rank = 0;
    std::int32_t left = 0;  // symbol
    std::int32_t left_id = 0;
    std::int32_t right_id = 0;
    std::int32_t merged_id = 0;
  };
  struct Later;
  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
  }
  // Where BPE may cut: merges never cross it, whatever the text.
  std::size_t word_length(std::string_view text) const;
  void offer(Scratch& scratch, std::int32_t left) const;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const;

  std::string model_bytes_;
  std::vector<std::string> bytes_;                              // what each piece stands for
  std::unordered_map<std::uint32_t, std::int32_t> characters_;  // up to four bytes of a character -> its piece
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::int32_t bos_id_ = -1;
  std::int32_t eos_id_ = -1;
  bool words_end_at_spaces_ = true;    // no piece goes on past a space behind a character
  bool words_end_at_newlines_ = true;  // no piece goes on past a newline before something else
};

}  // namespace witan
