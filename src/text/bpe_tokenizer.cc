// The pieces of a model, checked to be ones that lose nothing.
#include "text/bpe_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "text/hugging_face_files.h"
#include "text/piece_merger.h"
#include "text/sentencepiece_model.h"

namespace witan {
namespace {

using Type = SentencePieceModel::Type;

constexpr const char* kModelFile = "tokenizer.model";

// What of a model this encoder would not follow, or nullptr.
const char* unsupported(const SentencePieceModel& model) {
  if (model.algorithm != SentencePieceModel::Algorithm::kBpe) return "is no BPE model";
  if (!model.byte_fallback) return "has no byte fallback";
  if (!model.character_map.empty()) return "normalises its text";
  if (model.adds_dummy_prefix) return "adds a space before the text";
  if (model.removes_extra_spaces) return "removes extra spaces";
  if (!model.escapes_spaces) return "does not escape spaces";
  if (model.spaces_are_suffixes) return "puts spaces at the end of words";
  return nullptr;
}

}  // namespace

BpeTokenizer::~BpeTokenizer() = default;

bool BpeTokenizer::supports(const SentencePieceModel& model) {
  return unsupported(model) == nullptr &&
         std::ranges::none_of(model.pieces, [](const SentencePieceModel::Piece& piece) {
           return piece.type == Type::kUserDefined || piece.type == Type::kUnused;
         });
}

BpeTokenizer::BpeTokenizer(std::string model_bytes, const std::string& file) : model_bytes_(std::move(model_bytes)) {
  const SentencePieceModel model = parse_sentencepiece_model(model_bytes_, file);
  if (const char* reason = unsupported(model)) fail("{}: the model {}, which Witan does not support", file, reason);
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    std::string bytes;
    switch (piece.type) {
      case Type::kNormal:
        bytes = with_spaces(piece.text);
        break;
      case Type::kByte:
        bytes = std::string(1, static_cast<char>(byte_of(piece, file)));
        break;
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
  merger_ = std::make_unique<PieceMerger>(model, PieceMerger::Spaces::kPlain, file);
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> out;
  merger_->encode(text, out);
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
