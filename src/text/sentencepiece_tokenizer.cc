// Added tokens, the model between them, what a family puts around a text.
#include "text/sentencepiece_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "text/hugging_face_files.h"
#include "text/piece_merger.h"

namespace witan {
namespace {

using Start = SentencePieceNormalizer::Start;
using PieceType = SentencePieceModel::Type;

std::string spoken(const SentencePieceModel::Piece& piece, const std::string& file) {
  switch (piece.type) {
    case PieceType::kControl:
    case PieceType::kUnknown:
      return "";
    case PieceType::kByte:
      return std::string(1, static_cast<char>(byte_of(piece, file)));
    default:
      return with_spaces(piece.text);
  }
}

}  // namespace

// Takes the model's own space from the beginning.
class SentencePieceTokenizer::Stream : public TextStream {
 public:
  Stream(const SentencePieceTokenizer& tokenizer, SpecialTokens special) : tokenizer_(tokenizer), special_(special) {}
  std::string push(std::int32_t id) override {
    std::string text = tokenizer_.text_of(id, special_);
    if (text.empty()) return "";
    if (!begun_ && tokenizer_.begins_with_space() && text.starts_with(' ')) text.erase(0, 1);
    begun_ = true;
    return decoder_.push(text);
  }
  std::string finish() override { return decoder_.finish(); }

 private:
  const SentencePieceTokenizer& tokenizer_;
  SpecialTokens special_;
  StreamDecoder decoder_;
  bool begun_ = false;
};

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceModel model, SentencePieceSettings settings,
                                               const std::string& file, KeptFiles files)
    : settings_(std::move(settings)),
      vocabulary_(family_vocabulary(settings_.family, model, file)),
      encoder_(std::move(model), file),
      added_(settings_.added),
      files_(std::move(files)),
      vocab_size_(std::max(vocabulary_.end_id(), added_.end_id())) {
  texts_.resize(static_cast<std::size_t>(vocabulary_.end_id()));
  const std::vector<SentencePieceModel::Piece>& pieces = encoder_.model().pieces;
  for (const SentencePieceModel::Piece& piece : pieces) {
    const std::int32_t id = vocabulary_.find(piece.text);
    if (id >= 0) texts_[static_cast<std::size_t>(id)] = spoken(piece, file);
  }
  bos_id_ = token_id(settings_.bos);
  eos_id_ = token_id(settings_.eos);
  language_id_ = token_id(settings_.language);
}

void SentencePieceTokenizer::append(std::string_view text, Start start, std::vector<std::int32_t>& ids) const {
  const std::size_t begin = ids.size();
  encoder_.encode(text, start, ids);
  for (std::size_t i = begin; i < ids.size(); ++i) {
    ids[i] = family_id(settings_.family, ids[i], encoder_.unknown_id());
  }
}

bool SentencePieceTokenizer::begins_with_space() const {
  return settings_.legacy ? encoder_.model().adds_dummy_prefix : settings_.adds_prefix_space;
}

std::vector<std::int32_t> SentencePieceTokenizer::encode(std::string_view text) const {
  return settings_.legacy || text.empty() ? encode_legacy(text) : encode_with_one_prefix(text);
}

std::vector<std::int32_t> SentencePieceTokenizer::encode_legacy(std::string_view text) const {
  std::vector<std::int32_t> ids;
  added_.in_text().split(
      text, [&](std::size_t begin, std::size_t end) { append(text.substr(begin, end - begin), Start::kText, ids); },
      [&](std::int32_t id) { ids.push_back(id); });
  return ids;
}

std::vector<std::int32_t> SentencePieceTokenizer::encode_with_one_prefix(std::string_view given) const {
  std::string text = with_spaces(given);
  if (settings_.adds_prefix_space) text.insert(0, kSpaceMark);
  std::vector<std::int32_t> ids;
  std::ptrdiff_t first_special = -1;
  added_.in_text().split(
      text,
      [&](std::size_t begin, std::size_t end) {
        const std::string_view part = std::string_view(text).substr(begin, end - begin);
        const bool spaced = part.starts_with(' ') || part.starts_with(kSpaceMark);
        append(part, spaced ? Start::kMiddle : Start::kTextNoSpace, ids);
      },
      [&](std::int32_t id) {
        if (first_special < 0 && added_.find(id)->special) first_special = static_cast<std::ptrdiff_t>(ids.size());
        ids.push_back(id);
      });
  // Before a special token at the beginning no space was meant.
  const bool lone_space = first_special == 1 && ids[0] == vocabulary_.find(kSpaceMark);
  if (lone_space) ids.erase(ids.begin());
  return ids;
}

std::vector<std::int32_t> SentencePieceTokenizer::encode_with_special(std::string_view text) const {
  std::vector<std::int32_t> ids = encode(text);
  if (settings_.family == SentencePieceFamily::kNllb) {
    const std::int32_t language = language_id_ >= 0 ? language_id_ : token_id(settings_.unknown);
    if (language >= 0 && !settings_.language_behind) ids.insert(ids.begin(), language);
    if (eos_id_ >= 0) ids.push_back(eos_id_);
    if (language >= 0 && settings_.language_behind) ids.push_back(language);
    return ids;
  }
  if (settings_.adds_bos && bos_id_ >= 0) ids.insert(ids.begin(), bos_id_);
  // T5 does not repeat an end that the text has.
  const bool ends = settings_.family == SentencePieceFamily::kT5 && !ids.empty() && ids.back() == eos_id_;
  if (settings_.adds_eos && eos_id_ >= 0 && !ends) ids.push_back(eos_id_);
  return ids;
}

std::string SentencePieceTokenizer::text_of(std::int32_t id, SpecialTokens special) const {
  if (const AddedToken* added = added_.find(id)) {
    return added->special && special == SpecialTokens::kSkip ? "" : added->text;
  }
  if (id < 0 || static_cast<std::size_t>(id) >= texts_.size()) return "";
  return texts_[static_cast<std::size_t>(id)];
}

std::string SentencePieceTokenizer::token_bytes(std::int32_t id) const {
  WITAN_ASSERT(id >= 0 && id < vocab_size());
  return text_of(id, SpecialTokens::kSkip);
}

std::string SentencePieceTokenizer::decode(const std::vector<std::int32_t>& ids, SpecialTokens special) const {
  Stream all(*this, special);
  std::string text;
  for (const std::int32_t id : ids) text += all.push(id);
  return text + all.finish();
}

std::unique_ptr<TextStream> SentencePieceTokenizer::stream(SpecialTokens special) const {
  return std::make_unique<Stream>(*this, special);
}

std::int32_t SentencePieceTokenizer::token_id(std::string_view token) const {
  if (token.empty()) return -1;
  const std::int32_t added = added_.id_of(token);
  return added >= 0 ? added : vocabulary_.find(token);
}

void SentencePieceTokenizer::save(const std::filesystem::path& folder) const { files_.save(folder); }

std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const SentencePieceFile& file) {
  const std::filesystem::path folder = file.path.parent_path();
  std::string bytes = read_text_file(file.path);
  SentencePieceModel model = parse_sentencepiece_model(bytes, file.path.string());
  SentencePieceSettings settings = read_sentencepiece_settings(folder, file.family, model);
  KeptFiles files;
  files.add(file.path.filename().string(), std::move(bytes));
  files.add_from(folder,
                 {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"});
  return std::make_unique<SentencePieceTokenizer>(std::move(model), std::move(settings), file.path.string(),
                                                  std::move(files));
}

}  // namespace witan
