// Byte-pair encoding by the scores of a SentencePiece model: characters merge to pieces, bytes or the unknown piece
// stand for characters without one. The text comes normalised; added tokens are others' business.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/bpe_merger.h"
#include "text/merge_borders.h"
#include "text/sentencepiece_model.h"

namespace witan {

class PieceMerger {
 public:
  // How the text writes a space: as such, or as the pieces do, by U+2581.
  enum class Spaces { kPlain, kMarked };

  // `model` is of the algorithm BPE. Throws Error naming `file` for one with byte fallback that misses a byte, and for
  // pieces of characters that are none.
  PieceMerger(const SentencePieceModel& model, Spaces spaces, const std::string& file);

  // Appends the ids. Bytes that are not UTF-8 are taken one by one.
  void encode(std::string_view text, std::vector<std::int32_t>& out) const;

 private:
  void encode_word(std::string_view word, BpeMerger::Scratch& scratch, std::vector<std::int32_t>& out) const;

  std::unordered_map<std::uint32_t, std::int32_t> characters_;  // up to four bytes of a character -> its piece
  BpeMerger merger_;
  MergeBorders borders_;
  std::array<std::int32_t, 256> byte_ids_{};  // -1 without byte fallback
  std::int32_t unknown_id_ = -1;              // -1: every character has its bytes
};

// The text of a piece with its spaces as spaces.
std::string with_spaces(std::string_view piece);
// The value of a piece for a byte. Throws Error naming `file` when its text is not of the form "<0x0A>".
int byte_of(const SentencePieceModel::Piece& piece, const std::string& file);
// The ids of the 256 bytes; of all of them -1 without byte fallback. Throws Error naming `file` when one is missing.
std::array<std::int32_t, 256> byte_pieces(const SentencePieceModel& model, const std::string& file);

}  // namespace witan
