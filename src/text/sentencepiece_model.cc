// A reader of the four wire types of protocol buffers, and the few fields of the model.
#include "text/sentencepiece_model.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "base/error.h"
#include "text/utf8.h"

namespace witan {
namespace {

// One field of a message: a number (varint) or bytes (length-delimited, or the raw 4 or 8 bytes of a fixed width).
struct WireField {
  std::uint32_t number = 0;
  std::uint32_t type = 0;
  std::uint64_t varint = 0;
  std::string_view bytes;
};

constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kDelimited = 2;
constexpr std::uint32_t kFixed32 = 5;

class WireReader {
 public:
  WireReader(std::string_view bytes, const std::string& file) : rest_(bytes), file_(file) {}

  std::optional<WireField> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    WireField field;
    field.number = static_cast<std::uint32_t>(key >> 3);
    field.type = static_cast<std::uint32_t>(key & 7);
    if ((key >> 3) == 0 || (key >> 3) > 0x1FFFFFFF) broken();
    switch (field.type) {
      case kVarint:
        field.varint = varint();
        break;
      case kFixed64:
        field.bytes = take(8);
        break;
      case kDelimited:
        field.bytes = take(varint());
        break;
      case kFixed32:
        field.bytes = take(4);
        break;
      default:
        broken();
    }
    return field;
  }

  [[noreturn]] void broken() const { fail("{}: broken, or no SentencePiece model", file_); }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) broken();
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    broken();
  }

  std::string_view rest_;
  const std::string& file_;
};

using ModelPiece = SentencePieceModel::Piece;

ModelPiece parse_piece(std::string_view bytes, const std::string& file) {
  ModelPiece piece;
  WireReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->type == kDelimited) piece.text = field->bytes;
    if (field->number == 2 && field->type == kFixed32) std::memcpy(&piece.score, field->bytes.data(), 4);
    if (field->number == 3 && field->type == kVarint) {
      if (field->varint < 1 || field->varint > 6) reader.broken();
      piece.type = static_cast<SentencePieceModel::Type>(field->varint);
    }
  }
  return piece;
}

// TrainerSpec: how the pieces were made decides how they are to be used.
void parse_trainer(std::string_view bytes, const std::string& file, SentencePieceModel& model) {
  WireReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->type != kVarint) continue;
    if (field->number == 3) {
      if (field->varint < 1 || field->varint > 4) reader.broken();
      model.algorithm = static_cast<SentencePieceModel::Algorithm>(field->varint);
    }
    if (field->number == 24) model.spaces_are_suffixes = field->varint != 0;
    if (field->number == 35) model.byte_fallback = field->varint != 0;
  }
}

void parse_normalizer(std::string_view bytes, const std::string& file, SentencePieceModel& model) {
  WireReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->number == 2 && field->type == kDelimited) model.character_map = field->bytes;
    if (field->type != kVarint) continue;
    if (field->number == 3) model.adds_dummy_prefix = field->varint != 0;
    if (field->number == 4) model.removes_extra_spaces = field->varint != 0;
    if (field->number == 5) model.escapes_spaces = field->varint != 0;
  }
}

// DenormalizerSpec is a NormalizerSpec of which decoding takes the character map.
bool has_character_map(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  parse_normalizer(bytes, file, model);
  return !model.character_map.empty();
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  WireReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->type != kDelimited) continue;
    if (field->number == 1) model.pieces.push_back(parse_piece(field->bytes, file));
    if (field->number == 2) parse_trainer(field->bytes, file, model);
    if (field->number == 3) parse_normalizer(field->bytes, file, model);
    if (field->number == 5) model.changes_decoded_text = has_character_map(field->bytes, file);
  }
  if (model.pieces.empty()) reader.broken();
  std::unordered_set<std::string_view> seen;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const ModelPiece& piece = model.pieces[id];
    if (piece.text.empty() || find_invalid_utf8(piece.text) != std::string::npos || !std::isfinite(piece.score)) {
      fail("{}: piece {} is broken", file, id);
    }
    if (!seen.insert(piece.text).second) fail("{}: piece {} '{}' stands twice", file, id, piece.text);
  }
  return model;
}

}  // namespace witan
