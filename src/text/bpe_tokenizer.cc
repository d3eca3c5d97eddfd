// Encoding: text is cut into words, and each different word is merged once.
#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <cstring>

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

bool BpeTokenizer::supports(const SentencePieceModel& model) {
  return unsupported(model) == nullptr &&
         std::ranges::none_of(model.pieces, [](const SentencePieceModel::Piece& piece) {
           return piece.type == Type::kUserDefined || piece.type == Type::kUnused;
         });
}

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
        borders_.add_token(bytes);
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
    merger_.add(merge.left, merge.right, static_cast<std::uint32_t>(merge.rank), merge.merged);
  }
}

void BpeTokenizer::encode_word(std::string_view word, BpeMerger::Scratch& scratch,
                               std::vector<std::int32_t>& out) const {
  const std::size_t first = out.size();
  for (std::size_t begin = 0; begin < word.size();) {
    const std::string_view character = word.substr(begin, std::max<std::size_t>(1, utf8_length(word.substr(begin))));
    const auto known = characters_.find(character_key(character));
    if (known != characters_.end()) {
      out.push_back(known->second);
    } else {
      for (const char c : character) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    }
    begin += character.size();
  }
  merger_.merge(out, first, scratch);
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text) const {
  // Symbols are counted in 32 bits; nothing that is a word comes near.
  constexpr std::size_t kLongest = std::size_t{1} << 30;
  std::vector<std::int32_t> out;
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
