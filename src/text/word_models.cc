// Models that know words: WordPiece, which takes the longest token again and again, and WordLevel, one token a word.
#include "base/error.h"
#include "text/json_node.h"
#include "text/token_model.h"
#include "text/tokenizer_document.h"
#include "text/unicode.h"

namespace witan {
namespace {

class WordModel : public TokenModel {
 public:
  explicit WordModel(const TokenizerDocument& document) : file_(document.file), vocabulary_(document.vocabulary) {
    if (!document.scores.empty()) fail("{}: model.vocab: expected an object of tokens and ids", file_);
  }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 protected:
  void add_unknown(const std::string& token, std::vector<std::int32_t>& out) const {
    const std::int32_t id = vocabulary_.find(token);
    if (id < 0) fail("{}: model.unk_token: \"{}\" is not in the vocabulary", file_, token);
    out.push_back(id);
  }

  std::string file_;
  Vocabulary vocabulary_;
};

class WordPieceModel : public WordModel {
 public:
  explicit WordPieceModel(const TokenizerDocument& document) : WordModel(document) {
    const JsonNode model = JsonNode(*document.parts, file_).at("model");
    unknown_ = model.text_or("unk_token", "[UNK]");
    prefix_ = model.text_or("continuing_subword_prefix", "##");
    if (const auto most = model.find("max_input_chars_per_word")) {
      most_characters_ = most->integer();
      if (most_characters_ < 0) most->refuse("negative");
    }
    for (std::int32_t id = 0; id < vocabulary_.end_id(); ++id) {
      longest_ = std::max(longest_, vocabulary_.token(id).size());
    }
  }

  void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const override {
    if (count_characters(word) > static_cast<std::size_t>(most_characters_)) return add_unknown(unknown_, out);
    const std::size_t hash = WordCache::hash_of(word);
    if (scratch.cache.recall(word, hash, out)) return;
    const std::size_t first = out.size();
    for (std::size_t begin = 0; begin < word.size();) {
      std::int32_t id = -1;
      std::size_t end = std::min(word.size(), begin + longest_);
      while (end < word.size() && is_inside_character(word[end])) --end;
      while (end > begin) {
        scratch.text = begin > 0 ? prefix_ : "";
        scratch.text += word.substr(begin, end - begin);
        id = vocabulary_.find(scratch.text);
        if (id >= 0) break;
        do --end;
        while (end > begin && is_inside_character(word[end]));
      }
      if (id < 0) {
        out.resize(first);
        add_unknown(unknown_, out);
        break;
      }
      out.push_back(id);
      begin = end;
    }
    scratch.cache.keep(word, hash, std::span(out).subspan(first));
  }

 private:
  static bool is_inside_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

  std::string unknown_;
  std::string prefix_;
  std::int64_t most_characters_ = 100;
  std::size_t longest_ = 0;  // bytes of a token
};

class WordLevelModel : public WordModel {
 public:
  explicit WordLevelModel(const TokenizerDocument& document)
      : WordModel(document), unknown_(JsonNode(*document.parts, file_).at("model").text_or("unk_token", "<unk>")) {}

  void encode(std::string_view word, Scratch&, std::vector<std::int32_t>& out) const override {
    const std::int32_t id = vocabulary_.find(word);
    if (id < 0) return add_unknown(unknown_, out);
    out.push_back(id);
  }

 private:
  std::string unknown_;
};

}  // namespace

std::unique_ptr<TokenModel> make_word_piece_model(const TokenizerDocument& document) {
  return std::make_unique<WordPieceModel>(document);
}

std::unique_ptr<TokenModel> make_word_level_model(const TokenizerDocument& document) {
  return std::make_unique<WordLevelModel>(document);
}

}  // namespace witan
