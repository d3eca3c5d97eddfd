// The file tokenizer.model of SentencePiece, read and checked by ourselves: the library trusts the tables inside such a
// file, and we do not trust files. Only what the encoder needs is taken.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace witan {

inline constexpr std::string_view kSpaceMark = "\u2581";  // how pieces write a space

struct SentencePieceModel {
  enum class Algorithm { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  enum class Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  struct Piece {
    std::string text;  // a space is written kSpaceMark
    float score = 0.0F;
    Type type = Type::kNormal;
  };
  std::vector<Piece> pieces;  // the id is the index
  Algorithm algorithm = Algorithm::kUnigram;
  bool byte_fallback = false;
  bool adds_dummy_prefix = true;
  bool removes_extra_spaces = true;
  bool escapes_spaces = true;
  bool spaces_are_suffixes = false;
  std::string character_map;          // see precompiled_map.h; empty: characters stay what they are
  bool changes_decoded_text = false;  // by a character map for what was decoded
};

// Protocol buffer wire format of sentencepiece_model.proto. Throws Error naming `file`: not a model, cut short, an
// empty or broken piece, the same piece twice.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& file);

}  // namespace witan
