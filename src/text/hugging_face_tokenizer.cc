// Encoding: added tokens in the raw text, normalising what is between, added tokens in that, words, tokens.
#include "text/hugging_face_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/added_tokens.h"
#include "text/json_node.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/token_model.h"
#include "text/tokenizer_document.h"
#include "text/utf8.h"

namespace witan {
namespace {

// Old files have no type of model.
std::string model_type(const TokenizerDocument& document, const JsonNode& model) {
  if (const auto type = model.find("type")) return type->text();
  if (document.has_merges) return "BPE";
  if (!document.scores.empty()) return "Unigram";
  return model.find("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

std::unique_ptr<TokenModel> read_model(const TokenizerDocument& document, bool words_are_bytes) {
  const JsonNode model = JsonNode(*document.parts, document.file).at("model");
  const std::string type = model_type(document, model);
  if (type == "BPE") return make_bpe_model(document, words_are_bytes);
  if (type == "Unigram") return make_unigram_model(document);
  if (type == "WordPiece") return make_word_piece_model(document);
  if (type == "WordLevel") return make_word_level_model(document);
  model.refuse(fmt::format("the type {} is unknown (known: BPE, Unigram, WordLevel, WordPiece)", type));
}

}  // namespace

struct HuggingFaceTokenizer::Parts {
  std::unique_ptr<Normalizer> normalizer;  // may be absent
  PreTokenizers pre_tokenizers;
  std::unique_ptr<TokenModel> model;
  std::unique_ptr<AddedTokens> added;
  PostProcessor post_processor;
  std::vector<std::unique_ptr<DecoderStep>> decoder;

  explicit Parts(const TokenizerDocument& document) {
    const JsonNode root(*document.parts, document.file);
    if (const auto version = root.find("version"); version && version->text() != "1.0") {
      version->refuse(fmt::format("version \"{}\" is unknown (known: 1.0)", version->text()));
    }
    if (const auto node = root.find("normalizer")) normalizer = read_normalizer(*node);
    if (const auto node = root.find("pre_tokenizer")) pre_tokenizers = read_pre_tokenizer(*node);
    const JsonNode described = root.at("model");
    const bool words_are_bytes =
        pre_tokenizers.ends_in_byte_characters && model_type(document, described) == "BPE" && can_take_bytes(document);
    if (pre_tokenizers.ends_in_byte_characters && !words_are_bytes) {
      pre_tokenizers.steps.push_back(byte_characters_step());
    }
    model = read_model(document, words_are_bytes);
    added = std::make_unique<AddedTokens>(root.find("added_tokens"), model->vocabulary(), normalizer.get());
    if (const auto node = root.find("post_processor")) post_processor = PostProcessor(*node);
    const auto node = root.find("decoder");
    decoder = node ? read_decoder(*node) : joining_decoder();
  }
};

// One thread's buffers, its words that were seen, and its chain of splitters, which ends in the model.
class HuggingFaceTokenizer::Work : private PieceSink {
 public:
  explicit Work(const Parts& parts) : parts_(parts) {
    chain_.reserve(parts.pre_tokenizers.steps.size());
    for (auto step = parts.pre_tokenizers.steps.rbegin(); step != parts.pre_tokenizers.steps.rend(); ++step) {
      chain_.push_back((*step)->splitter(first()));
    }
  }

  // `text` is valid UTF-8.
  std::vector<std::int32_t> encode(std::string_view text) {
    ids_.clear();
    const auto add_id = [this](std::int32_t id) { ids_.push_back(id); };
    parts_.added->in_text().split(
        text,
        [&](std::size_t begin, std::size_t end) {
          normal_ = text.substr(begin, end - begin);
          if (parts_.normalizer) parts_.normalizer->apply(normal_);
          parts_.added->in_normalized_text().split(
              normal_,
              [&](std::size_t from, std::size_t to) {
                first().take({std::string_view(normal_).substr(from, to - from), begin == 0 && from == 0});
              },
              add_id);
        },
        add_id);
    return std::move(ids_);
  }

 private:
  PieceSink& first() { return chain_.empty() ? *this : *chain_.back(); }
  void take(const Piece& piece) override { parts_.model->encode(piece.text, scratch_, ids_); }

  const Parts& parts_;
  std::vector<std::unique_ptr<PieceSink>> chain_;  // the last step first
  TokenModel::Scratch scratch_;
  std::string normal_;
  std::vector<std::int32_t> ids_;
};

class HuggingFaceTokenizer::Lease {
 public:
  explicit Lease(const HuggingFaceTokenizer& owner) : owner_(owner) {
    const std::scoped_lock lock(owner_.mutex_);
    if (owner_.idle_.empty()) {
      work_ = std::make_unique<Work>(*owner_.parts_);
    } else {
      work_ = std::move(owner_.idle_.back());
      owner_.idle_.pop_back();
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    const std::scoped_lock lock(owner_.mutex_);
    owner_.idle_.push_back(std::move(work_));
  }
  Work& operator*() { return *work_; }

 private:
  const HuggingFaceTokenizer& owner_;
  std::unique_ptr<Work> work_;
};

class HuggingFaceTokenizer::Stream : public TextStream {
 public:
  Stream(const HuggingFaceTokenizer& tokenizer, SpecialTokens special)
      : tokenizer_(tokenizer), special_(special), chain_(tokenizer.parts_->decoder) {}
  std::string push(std::int32_t id) override {
    std::string_view token;
    if (tokenizer_.decoded_token(id, special_, token)) chain_.push(token);
    return chain_.take();
  }
  std::string finish() override {
    chain_.finish();
    return chain_.take();
  }

 private:
  const HuggingFaceTokenizer& tokenizer_;
  SpecialTokens special_;
  DecoderChain chain_;
};

HuggingFaceTokenizer::HuggingFaceTokenizer(const TokenizerDocument& document, const SpecialTokenNames& names,
                                           KeptFiles files)
    : parts_(std::make_unique<Parts>(document)), names_(names), files_(std::move(files)) {
  bos_id_ = token_id(names_.text("bos_token"));
  eos_id_ = token_id(names_.text("eos_token"));
  vocab_size_ = std::max(
      {parts_->model->vocabulary().end_id(), parts_->added->end_id(), parts_->post_processor.largest_id() + 1});
}

HuggingFaceTokenizer::~HuggingFaceTokenizer() = default;

std::int32_t HuggingFaceTokenizer::token_id(std::string_view token) const {
  if (token.empty()) return -1;
  const std::int32_t added = parts_->added->id_of(token);
  return added >= 0 ? added : parts_->model->vocabulary().find(token);
}

std::vector<std::string> HuggingFaceTokenizer::added_special_tokens() const { return parts_->added->special_texts(); }

std::vector<std::int32_t> HuggingFaceTokenizer::encode(std::string_view text) const {
  Lease work(*this);
  if (find_invalid_utf8(text) == std::string_view::npos) return (*work).encode(text);
  return (*work).encode(replace_invalid_utf8(text));
}

std::vector<std::int32_t> HuggingFaceTokenizer::encode_with_special(std::string_view text) const {
  using Around = SpecialTokenNames::Around;
  std::vector<std::int32_t> ids = encode(text);
  if (names_.around != Around::kFlags) ids = parts_->post_processor.apply(std::move(ids));
  const bool template_decides = names_.around == Around::kTemplate ||
                                (names_.around == Around::kTemplateElseFlags && parts_->post_processor.adds_tokens());
  if (template_decides) return ids;
  if (names_.adds_bos && bos_id_ >= 0) ids.insert(ids.begin(), bos_id_);
  if (names_.adds_eos && eos_id_ >= 0) ids.push_back(eos_id_);
  return ids;
}

bool HuggingFaceTokenizer::decoded_token(std::int32_t id, SpecialTokens special, std::string_view& token) const {
  if (const AddedToken* added = parts_->added->find(id)) {
    token = added->decoded_text;
    return !added->special || special == SpecialTokens::kKeep;
  }
  token = parts_->model->vocabulary().token(id);
  return parts_->model->vocabulary().contains(id);
}

std::string HuggingFaceTokenizer::token_bytes(std::int32_t id) const {
  WITAN_ASSERT(id >= 0 && id < vocab_size());
  std::string_view token;
  if (!decoded_token(id, SpecialTokens::kSkip, token)) return "";
  std::string bytes(token);
  for (const auto& step : parts_->decoder) bytes = step->inside(std::move(bytes));
  return bytes;
}

std::string HuggingFaceTokenizer::decode(const std::vector<std::int32_t>& ids, SpecialTokens special) const {
  Stream all(*this, special);
  std::string text;
  for (const std::int32_t id : ids) text += all.push(id);
  return text + all.finish();
}

std::unique_ptr<TextStream> HuggingFaceTokenizer::stream(SpecialTokens special) const {
  return std::make_unique<Stream>(*this, special);
}

void HuggingFaceTokenizer::save(const std::filesystem::path& folder) const { files_.save(folder); }

}  // namespace witan
