// Character after character, with the spaces in sight.
#include "text/sentencepiece_normalizer.h"

#include "base/error.h"
#include "text/sentencepiece_model.h"
#include "text/utf8.h"

namespace witan {

UserPieces::UserPieces(const SentencePieceModel& model) {
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type != SentencePieceModel::Type::kUserDefined) continue;
    trie_.add(model.pieces[i].text, static_cast<std::int32_t>(i));
  }
}

UserPieces::Match UserPieces::match(std::string_view text) const {
  Match longest;
  trie_.prefixes(text, [&](std::size_t length, std::int32_t id) { longest = {length, id}; });
  return longest;
}

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceModel& model, const UserPieces& user_pieces,
                                                 const std::string& file)
    : model_(model), user_pieces_(user_pieces), file_(file) {
  if (!model.character_map.empty()) map_.emplace(model.character_map, file);
}

// What the text begins with, and what stands for it.
PrecompiledMap::Entry SentencePieceNormalizer::first(std::string_view text) const {
  if (const std::size_t whole = user_pieces_.match(text).length; whole > 0) return {whole, text.substr(0, whole)};
  if (map_) {
    // No honest map makes as much of a few characters; another could turn a page into gigabytes.
    constexpr std::size_t kLongestEntry = 1024;
    if (const auto entry = map_->longest(text)) {
      if (entry->text.size() > kLongestEntry) {
        fail("{}: the character map makes {} bytes of {}", file_, entry->text.size(), entry->length);
      }
      return *entry;
    }
  }
  const std::size_t length = utf8_length(text);
  if (length == 0) return {1, kReplacementCharacter};
  return {length, text.substr(0, length)};
}

std::string SentencePieceNormalizer::apply(std::string_view text, Start start) const {
  const bool joins = model_.removes_extra_spaces;
  std::string result;
  bool after_space = joins && start != Start::kMiddle;
  while (after_space && !text.empty()) {
    const PrecompiledMap::Entry entry = first(text);
    if (entry.text != " ") break;
    text.remove_prefix(entry.length);
  }
  if (text.empty()) return result;
  result.reserve(text.size() + text.size() / 2);
  if (model_.adds_dummy_prefix && start == Start::kText) result += kSpaceMark;
  while (!text.empty()) {
    const PrecompiledMap::Entry entry = first(text);
    text.remove_prefix(entry.length);
    std::string_view part = entry.text;
    while (after_space && part.starts_with(' ')) part.remove_prefix(1);
    for (const char c : part) {
      if (c == ' ') {
        result += kSpaceMark;
      } else {
        result += c;
      }
    }
    if (!part.empty()) after_space = joins && part.ends_with(' ');
  }
  while (joins && result.ends_with(kSpaceMark)) result.resize(result.size() - kSpaceMark.size());
  return result;
}

}  // namespace witan
