// Encoding: text is cut into words, and each different word is merged once.
#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "text/hugging_face_files.h"
#include "text/sentencepiece_model.h"
#include "text/utf8.h"

namespace witan {
namespace {

using Type = SentencePieceModel::Type;

constexpr std::string_view kSpaceMark = "\u2581";
constexpr const char* kModelFile = "tokenizer.model";

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

// The bytes of one character as one number.
std::uint32_t character_key(std::string_view character) {
  std::uint32_t key = 0;
  std::memcpy(&key, character.data(), std::min<std::size_t>(character.size(), 4));
  return key;
}

// Whether two neighbours in `text` have a border between them.
bool has_border(std::string_view text, const std::function<bool(char, char)>& border) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (border(text[i - 1], text[i])) return true;
  }
  return false;
}

bool space_behind_other(char left, char right) { return left != ' ' && right == ' '; }
bool other_behind_newline(char left, char right) { return left == '\n' && right != '\n'; }

// The byte of "<0x0A>"; -1 for other texts.
int byte_of(const std::string& piece) {
  if (piece.size() != 6 || piece.compare(0, 3, "<0x") != 0 || piece[5] != '>') return -1;
  int value = 0;
  for (const char digit : {piece[3], piece[4]}) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'A' || digit > 'F')) return -1;
    value = value * 16 + (decimal ? digit - '0' : digit - 'A' + 10);
  }
  return value;
}

// What of a model this encoder would not follow, or nullptr.
const char* unsupported(const SentencePieceModel& model) {
  if (!model.is_bpe) return "is no BPE model";
  if (!model.byte_fallback) return "has no byte fallback";
  if (model.has_character_map) return "normalises its text";
  if (model.adds_dummy_prefix) return "adds a space before the text";
  if (model.removes_extra_spaces) return "removes extra spaces";
  if (!model.escapes_spaces) return "does not escape spaces";
  if (model.spaces_are_suffixes) return "puts spaces at the end of words";
  return nullptr;
}

}  // namespace

// Orders the heap so that the lowest rank comes first, of equal ranks the leftmost: what SentencePiece does.
struct BpeTokenizer::Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank > b.rank || (a.rank == b.rank && a.left > b.left);
  }
};

BpeTokenizer::BpeTokenizer(std::string model_bytes, const std::string& file) : model_bytes_(std::move(model_bytes)) {
  const SentencePieceModel model = parse_sentencepiece_model(model_bytes_, file);
  if (const char* reason = unsupported(model)) fail("{}: the model {}, which Witan does not support", file, reason);
  byte_ids_.fill(-1);
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    std::string bytes;
    switch (piece.type) {
      case Type::kNormal:
        bytes = with_spaces(piece.text);
        if (utf8_length(piece.text) == piece.text.size()) characters_[character_key(bytes)] = id;
        if (has_border(bytes, space_behind_other)) words_end_at_spaces_ = false;
        if (has_border(bytes, other_behind_newline)) words_end_at_newlines_ = false;
        break;
      case Type::kByte: {
        const int byte = byte_of(piece.text);
        if (byte < 0) fail("{}: piece {} '{}' is no byte", file, id, piece.text);
        byte_ids_[static_cast<std::size_t>(byte)] = id;
        bytes = std::string(1, static_cast<char>(byte));
        break;
      }
      case Type::kControl:
        if (piece.text == kBeginText) bos_id_ = id;
        if (piece.text == kEndText) eos_id_ = id;
        break;
      case Type::kUnknown:
        break;
      default:
        fail("{}: piece {} '{}' is user-defined or unused, which Witan does not support", file, id, piece.text);
    }
    bytes_.push_back(std::move(bytes));
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte_ids_[byte] < 0) fail("{}: no piece for byte {}", file, byte);
  }
  for (const RankedMerge& merge : ranked_merges(model)) {
    merges_.emplace(pair_key(merge.left, merge.right), Merge{merge.rank, merge.merged});
  }
}

std::size_t BpeTokenizer::word_length(std::string_view text) const {
  // Symbols are counted in 32 bits; nothing that is a word comes near.
  constexpr std::size_t kLongest = std::size_t{1} << 30;
  const std::size_t end = std::min(text.size(), kLongest);
  for (std::size_t i = 1; i < end; ++i) {
    if (words_end_at_spaces_ && space_behind_other(text[i - 1], text[i])) return i;
    if (words_end_at_newlines_ && other_behind_newline(text[i - 1], text[i])) return i;
  }
  return end;
}

void BpeTokenizer::offer(Scratch& scratch, std::int32_t left) const {
  if (left < 0) return;
  const Symbol& first = scratch.symbols[static_cast<std::size_t>(left)];
  if (first.next < 0 || first.id < 0) return;
  const Symbol& second = scratch.symbols[static_cast<std::size_t>(first.next)];
  if (second.id < 0) return;
  const auto merge = merges_.find(pair_key(first.id, second.id));
  if (merge == merges_.end()) return;
  scratch.heap.push_back({merge->second.rank, left, first.id, second.id, merge->second.id});
  std::push_heap(scratch.heap.begin(), scratch.heap.end(), Later{});
}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  scratch.heap.clear();
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(word.substr(begin)));
    const auto known = characters_.find(character_key(word.substr(begin, length)));
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({known == characters_.end() ? -1 : known->second, index - 1, index + 1,
                       static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(length)});
    begin += length;
  }
  symbols.back().next = -1;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(symbols.size()); ++i) offer(scratch, i);
  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), Later{});
    const Candidate best = scratch.heap.back();
    scratch.heap.pop_back();
    Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    // Merged away or changed since it was offered.
    if (left.id != best.left_id || left.length == 0 || left.next < 0) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != best.right_id) continue;
    left.id = best.merged_id;
    left.length += right.length;
    left.next = right.next;
    right.length = 0;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
    offer(scratch, left.previous);
    offer(scratch, best.left);
  }
  for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
    const Symbol& symbol = symbols[static_cast<std::size_t>(i)];
    if (symbol.id >= 0) {
      out.push_back(symbol.id);
    } else {
      for (const char c : word.substr(symbol.begin, symbol.length))
        out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    }
  }
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> out;
  Scratch scratch;
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::unordered_map<std::string_view, Range> seen;  // where in `out` the ids of a word stand already
  while (!text.empty()) {
    const std::string_view word = text.substr(0, word_length(text));
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
  return out;
}

std::string BpeTokenizer::token_bytes(std::int32_t id) const {
  WITAN_ASSERT(id >= 0 && id < vocab_size());
  return bytes_[static_cast<std::size_t>(id)];
}

void BpeTokenizer::save(const std::filesystem::path& folder) const {
  write_file(folder / kModelFile, model_bytes_);
  save_sentencepiece_json(folder, parse_sentencepiece_model(model_bytes_, kModelFile));
}

}  // namespace witan
