// Text is cut into words, and each different word is merged once.
#include "text/piece_merger.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/error.h"
#include "text/hugging_face_files.h"
#include "text/utf8.h"

namespace witan {
namespace {

using PieceType = SentencePieceModel::Type;

// The bytes of one character as one number.
std::uint32_t character_key(std::string_view character) {
  std::uint32_t key = 0;
  std::memcpy(&key, character.data(), std::min<std::size_t>(character.size(), 4));
  return key;
}

// SentencePiece would merge characters that are no pieces themselves; its own training makes no such model.
void require_characters(std::string_view piece, const std::unordered_set<std::string_view>& known,
                        const std::string& file) {
  for (std::string_view rest = piece; !rest.empty();) {
    const std::string_view character = rest.substr(0, utf8_length(rest));
    if (!known.contains(character)) fail("{}: piece '{}' is made of '{}', which is no piece", file, piece, character);
    rest.remove_prefix(character.size());
  }
}

}  // namespace

std::string with_spaces(std::string_view piece) {
  std::string text;
  for (std::size_t begin = 0;;) {
    const std::size_t mark = piece.find(kSpaceMark, begin);
    text += piece.substr(begin, mark - begin);
    if (mark == std::string_view::npos) return text;
    text += ' ';
    begin = mark + kSpaceMark.size();
  }
}

int byte_of(const SentencePieceModel::Piece& piece, const std::string& file) {
  const std::string& text = piece.text;
  const auto broken = [&]() { fail("{}: piece '{}' is no byte", file, text); };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') broken();
  int value = 0;
  for (const char digit : {text[3], text[4]}) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'A' || digit > 'F')) broken();
    value = value * 16 + (decimal ? digit - '0' : digit - 'A' + 10);
  }
  return value;
}

std::array<std::int32_t, 256> byte_pieces(const SentencePieceModel& model, const std::string& file) {
  std::array<std::int32_t, 256> ids{};
  ids.fill(-1);
  if (!model.byte_fallback) return ids;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type != PieceType::kByte) continue;
    ids[static_cast<std::size_t>(byte_of(model.pieces[i], file))] = static_cast<std::int32_t>(i);
  }
  const auto missing = std::ranges::find(ids, -1);
  if (missing != ids.end()) fail("{}: no piece for byte {}", file, missing - ids.begin());
  return ids;
}

PieceMerger::PieceMerger(const SentencePieceModel& model, Spaces spaces, const std::string& file)
    : byte_ids_(byte_pieces(model, file)) {
  WITAN_ASSERT(model.algorithm == SentencePieceModel::Algorithm::kBpe);
  std::unordered_set<std::string_view> known;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (piece.type == PieceType::kNormal || piece.type == PieceType::kUserDefined) known.insert(piece.text);
    if (piece.type == PieceType::kUnknown && !model.byte_fallback) unknown_id_ = id;
    if (piece.type != PieceType::kNormal) continue;
    const std::string text = spaces == Spaces::kPlain ? with_spaces(piece.text) : piece.text;
    if (utf8_length(piece.text) == piece.text.size()) characters_[character_key(text)] = id;
    borders_.add_token(text);
  }
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (piece.type == PieceType::kNormal) require_characters(piece.text, known, file);
  }
  for (const RankedMerge& merge : ranked_merges(model)) {
    merger_.add(merge.left, merge.right, static_cast<std::uint32_t>(merge.rank), merge.merged);
  }
}

void PieceMerger::encode_word(std::string_view word, BpeMerger::Scratch& scratch,
                              std::vector<std::int32_t>& out) const {
  const std::size_t first = out.size();
  for (std::size_t begin = 0; begin < word.size();) {
    const std::string_view character = word.substr(begin, std::max<std::size_t>(1, utf8_length(word.substr(begin))));
    const auto known = characters_.find(character_key(character));
    if (known != characters_.end()) {
      out.push_back(known->second);
    } else if (unknown_id_ >= 0) {
      out.push_back(unknown_id_);
    } else {
      for (const char c : character) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    }
    begin += character.size();
  }
  merger_.merge(out, first, scratch);
}

void PieceMerger::encode(std::string_view text, std::vector<std::int32_t>& out) const {
  // Symbols are counted in 32 bits; nothing that is a word comes near.
  constexpr std::size_t kLongest = std::size_t{1} << 30;
  BpeMerger::Scratch scratch;
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::unordered_map<std::string_view, Range> seen;  // where in `out` the ids of a word stand already
  while (!text.empty()) {
    const std::string_view word = text.substr(0, borders_.word_length(text.substr(0, kLongest)));
    text.remove_prefix(word.size());
    const auto [entry, is_new] = seen.try_emplace(word);
    if (is_new) {
      entry->second.begin = out.size();
      encode_word(word, scratch, out);
      entry->second.end = out.size();
    } else {
      for (std::size_t i = entry->second.begin; i < entry->second.end; ++i) out.push_back(out[i]);
    }
  }
}

}  // namespace witan
