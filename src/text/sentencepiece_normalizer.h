// What SentencePiece does to a text before it looks for pieces: characters by the model's map, spaces by its options.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "text/byte_trie.h"
#include "text/precompiled_map.h"

namespace witan {

struct SentencePieceModel;

// The user-defined pieces of a model, which stay whole wherever they stand.
class UserPieces {
 public:
  explicit UserPieces(const SentencePieceModel& model);
  struct Match {
    std::size_t length = 0;  // 0: none
    std::int32_t id = -1;
  };
  // The longest that `text` begins with.
  Match match(std::string_view text) const;

 private:
  ByteTrie trie_;
};

class SentencePieceNormalizer {
 public:
  // Both outlive the normalizer. Throws Error naming `file` for a broken character map.
  SentencePieceNormalizer(const SentencePieceModel& model, const UserPieces& user_pieces, const std::string& file);

  enum class Start {
    kText,         // as the library treats a text, with the space that the model puts before it
    kTextNoSpace,  // without that space
    kMiddle        // as if text stood before: no space is added, none at the begin removed
  };
  // Spaces come out as kSpaceMark, each byte that is no UTF-8 as U+FFFD. Follows Normalizer::Normalize of SentencePiece
  // 0.1.97. Throws Error for a map that makes pages of characters.
  std::string apply(std::string_view text, Start start) const;

 private:
  PrecompiledMap::Entry first(std::string_view text) const;

  const SentencePieceModel& model_;
  const UserPieces& user_pieces_;
  std::string file_;
  std::optional<PrecompiledMap> map_;
};

}  // namespace witan
