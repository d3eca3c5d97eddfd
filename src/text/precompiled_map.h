// The character map of a SentencePiece model ("Precompiled" in a tokenizer.json): which short pieces of text become
// which. A double-array trie over bytes and the texts its leaves point at, used as they stand in the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

class PrecompiledMap {
 public:
  // `bytes`: 32-bit size of the trie, the trie, the texts, each ended by a zero byte. Throws Error "where: ..." when
  // the sizes do not fit; a trie that points nowhere maps nothing.
  PrecompiledMap(std::string_view bytes, const std::string& where);

  // As Hugging Face does it: grapheme clusters of less than six bytes as a whole, else character by character, by the
  // shortest entry that is a prefix.
  std::string apply(std::string_view text) const;
  // As SentencePiece does it: the longest entry that `text` begins with.
  struct Entry {
    std::size_t length = 0;  // of the text that it replaces
    std::string_view text;
  };
  std::optional<Entry> longest(std::string_view text) const;

 private:
  // Calls found(entry) for every entry that `text` begins with, the shortest first, until it returns false.
  template <class Found>
  void prefixes(std::string_view text, const Found& found) const;
  std::optional<std::string_view> shortest(std::string_view chunk) const;

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

// Standard alphabet with padding. Throws Error "where: ..." for anything else.
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace witan
