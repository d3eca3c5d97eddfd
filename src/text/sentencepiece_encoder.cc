// Normalise, split, join what is unknown.
#include "text/sentencepiece_encoder.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

using PieceKind = SentencePieceModel::Type;

std::int32_t only_unknown(const SentencePieceModel& model, const std::string& file) {
  std::int32_t id = -1;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type != PieceKind::kUnknown) continue;
    if (id >= 0) fail("{}: pieces {} and {} are both the unknown one, expected one", file, id, i);
    id = static_cast<std::int32_t>(i);
  }
  if (id < 0) fail("{}: no piece for what is unknown, expected one", file);
  return id;
}

// What of a model is not followed, or nullptr.
const char* not_followed(const SentencePieceModel& model) {
  using Algorithm = SentencePieceModel::Algorithm;
  const bool bpe = model.algorithm == Algorithm::kBpe;
  if (!bpe && model.algorithm != Algorithm::kUnigram) return "is neither BPE nor unigram";
  if (!model.escapes_spaces) return "does not escape spaces";
  if (model.spaces_are_suffixes) return "puts spaces at the end of words";
  if (model.changes_decoded_text) return "maps the characters of decoded text";
  const bool unused = std::ranges::any_of(
      model.pieces, [](const SentencePieceModel::Piece& piece) { return piece.type == PieceKind::kUnused; });
  return bpe && unused ? "has unused pieces" : nullptr;
}

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(SentencePieceModel model, const std::string& file)
    : model_(std::move(model)), user_pieces_(model_), normalizer_(model_, user_pieces_, file) {
  if (const char* reason = not_followed(model_)) fail("{}: the model {}, which Witan does not support", file, reason);
  unknown_id_ = only_unknown(model_, file);
  splitter_ = model_.algorithm == SentencePieceModel::Algorithm::kBpe ? make_bpe_splitter(model_, user_pieces_, file)
                                                                      : make_unigram_splitter(model_, file);
}

void SentencePieceEncoder::encode(std::string_view text, SentencePieceNormalizer::Start start,
                                  std::vector<std::int32_t>& out) const {
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  splitter_->split(normalizer_.apply(text, start), out);
  const auto joined = std::unique(out.begin() + begin, out.end(), [this](std::int32_t left, std::int32_t right) {
    return left == unknown_id_ && right == unknown_id_;
  });
  out.erase(joined, out.end());
}

}  // namespace witan
