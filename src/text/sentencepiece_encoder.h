// Text to the ids of a SentencePiece model, as the library (0.1.97) gives them, by code of our own that trusts no table
// in the file: normalised, then cut into pieces by BPE or, for a unigram model, the most likely way. Knows nothing of
// tokens that others add to a vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentencepiece_model.h"
#include "text/sentencepiece_normalizer.h"

namespace witan {

// Cuts normalised text into pieces.
class PieceSplitter {
 public:
  PieceSplitter() = default;
  PieceSplitter(const PieceSplitter&) = delete;
  PieceSplitter& operator=(const PieceSplitter&) = delete;
  virtual ~PieceSplitter() = default;
  // Appends the ids; characters without a piece may each be the unknown one.
  virtual void split(std::string_view text, std::vector<std::int32_t>& out) const = 0;
};

// Both outlive the splitter. BPE: user-defined pieces stay whole, between them characters merge. Unigram (Kudo 2018):
// sums of scores in single precision, as the library adds them, so that near ties fall alike. Throw Error naming
// `file`.
std::unique_ptr<PieceSplitter> make_bpe_splitter(const SentencePieceModel& model, const UserPieces& user_pieces,
                                                 const std::string& file);
std::unique_ptr<PieceSplitter> make_unigram_splitter(const SentencePieceModel& model, const std::string& file);

class SentencePieceEncoder {
 public:
  // Throws Error naming `file` for what is not followed: other algorithms, spaces that are not escaped or stand behind
  // words, unused pieces of BPE, a map for decoded text, not exactly one unknown piece.
  SentencePieceEncoder(SentencePieceModel model, const std::string& file);
  SentencePieceEncoder(const SentencePieceEncoder&) = delete;
  SentencePieceEncoder& operator=(const SentencePieceEncoder&) = delete;

  const SentencePieceModel& model() const { return model_; }
  std::int32_t unknown_id() const { return unknown_id_; }
  // Appends the ids of `text`. Unknown characters side by side are one token.
  void encode(std::string_view text, SentencePieceNormalizer::Start start, std::vector<std::int32_t>& out) const;

 private:
  SentencePieceModel model_;
  UserPieces user_pieces_;
  SentencePieceNormalizer normalizer_;
  std::int32_t unknown_id_ = -1;
  std::unique_ptr<const PieceSplitter> splitter_;
};

}  // namespace witan
