// Byte-pair encoding with the pieces of a SentencePiece model and bytes for every character without a piece. Nothing is
// normalised, added or removed, so decoding gives the text back byte for byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace witan {

class PieceMerger;
struct SentencePieceModel;

class BpeTokenizer : public Tokenizer {
 public:
  // `model_bytes`: a tokenizer.model of type BPE with byte fallback, identity normalisation and no dummy prefix. Throws
  // Error naming `file` for anything else.
  BpeTokenizer(std::string model_bytes, const std::string& file);
  ~BpeTokenizer() override;
  // Whether a model is of that kind.
  static bool supports(const SentencePieceModel& model);

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
  std::string model_bytes_;
  std::vector<std::string> bytes_;  // what each piece stands for
  std::unique_ptr<const PieceMerger> merger_;
  std::int32_t bos_id_ = -1;
  std::int32_t eos_id_ = -1;
};

}  // namespace witan
