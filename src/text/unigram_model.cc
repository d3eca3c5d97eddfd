// The unigram model of a tokenizer.json: over all splits of a word into tokens, the one with the largest sum of scores.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "text/byte_trie.h"
#include "text/json_node.h"
#include "text/token_model.h"
#include "text/tokenizer_document.h"
#include "text/unicode.h"

namespace witan {
namespace {

class UnigramModel : public TokenModel {
 public:
  explicit UnigramModel(const TokenizerDocument& document)
      : file_(document.file), vocabulary_(document.vocabulary), scores_(document.scores), trie_(document.bytes.size()) {
    const JsonNode model = JsonNode(*document.parts, file_).at("model");
    if (scores_.empty() && vocabulary_.size() > 0)
      model.refuse("\"vocab\" of a Unigram model is a list of [token, score]");
    if (const auto unknown = model.find("unk_id")) {
      unknown_ = unknown->integer();
      if (*unknown_ < 0 || *unknown_ >= static_cast<std::int64_t>(scores_.size())) {
        unknown->refuse(fmt::format("{} is no id of {} tokens", *unknown_, scores_.size()));
      }
    }
    byte_fallback_ = model.flag_or("byte_fallback", false);
    double lowest = std::numeric_limits<double>::infinity();
    for (std::int32_t id = 0; id < vocabulary_.end_id(); ++id) {
      const std::string_view token = vocabulary_.token(id);
      if (!std::isfinite(scores_[static_cast<std::size_t>(id)]))
        model.refuse(fmt::format("the score of \"{}\" is not finite", token));
      lowest = std::min(lowest, scores_[static_cast<std::size_t>(id)]);
      if (!token.empty()) trie_.add(token, vocabulary_.find(token));
    }
    constexpr double kUnknownPenalty = 10.0;  // SentencePiece's
    unknown_score_ = lowest - kUnknownPenalty;
    for (unsigned byte = 0; byte < 256; ++byte) byte_ids_.push_back(vocabulary_.find(fmt::format("<0x{:02X}>", byte)));
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const override {
    const std::size_t hash = WordCache::hash_of(word);
    if (scratch.cache.recall(word, hash, out)) return;
    const std::size_t begin = out.size();
    find_best(word, scratch);
    // Backwards from the end; unknown characters side by side are one token.
    std::vector<std::size_t>& begins = scratch.begins;
    std::size_t unknown_end = 0;
    for (std::size_t end = word.size(); end > 0; end = begins[end]) {
      const std::int32_t id = scratch.choices[end];
      const bool is_unknown = id == unknown_;
      if (is_unknown && unknown_end == 0) unknown_end = end;
      if (!is_unknown && unknown_end != 0) {
        add_unknown(word.substr(end, unknown_end - end), out);
        unknown_end = 0;
      }
      if (!is_unknown) out.push_back(id);
    }
    if (unknown_end != 0) add_unknown(word.substr(0, unknown_end), out);
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
    scratch.cache.keep(word, hash, std::span(out).subspan(begin));
  }

 private:
  // choices[e], begins[e]: the last token of the best split of the first e bytes, and where it begins.
  void find_best(std::string_view word, Scratch& scratch) const {
    constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
    std::vector<double>& scores = scratch.scores;
    std::vector<std::size_t>& begins = scratch.begins;
    scores.assign(word.size() + 1, 0.0);
    begins.assign(word.size() + 1, kNowhere);
    scratch.choices.assign(word.size() + 1, -1);
    for (std::size_t begin = 0; begin < word.size();) {
      const std::size_t length = character_length(word[begin]);
      bool is_token = false;  // the character alone
      const auto offer = [&](std::size_t size, std::int32_t id, double score) {
        const std::size_t end = begin + size;
        const double sum = scores[begin] + score;
        if (begins[end] != kNowhere && sum <= scores[end]) return;
        scores[end] = sum;
        begins[end] = begin;
        scratch.choices[end] = id;
      };
      trie_.prefixes(word.substr(begin), [&](std::size_t size, std::int32_t id) {
        is_token = is_token || size == length;
        offer(size, id, scores_[static_cast<std::size_t>(id)]);
      });
      if (!is_token) {
        if (!unknown_) fail("{}: the model has no token for a character, and no unk_id", file_);
        offer(length, static_cast<std::int32_t>(*unknown_), unknown_score_);
      }
      begin += length;
    }
  }

  // In reverse, as everything else here.
  void add_unknown(std::string_view text, std::vector<std::int32_t>& out) const {
    // The unknown token itself may be written in the text.
    const std::int32_t known = vocabulary_.find(text);
    if (known >= 0) return out.push_back(known);
    const bool has_bytes = byte_fallback_ && std::ranges::all_of(text, [this](char c) {
                             return byte_ids_[static_cast<unsigned char>(c)] >= 0;
                           });
    if (!has_bytes) return out.push_back(static_cast<std::int32_t>(*unknown_));
    for (std::size_t i = text.size(); i-- > 0;) out.push_back(byte_ids_[static_cast<unsigned char>(text[i])]);
  }

  std::string file_;
  Vocabulary vocabulary_;
  std::vector<double> scores_;
  ByteTrie trie_;
  std::optional<std::int64_t> unknown_;
  double unknown_score_ = 0.0;
  bool byte_fallback_ = false;
  std::vector<std::int32_t> byte_ids_;
};

}  // namespace

std::unique_ptr<TokenModel> make_unigram_model(const TokenizerDocument& document) {
  return std::make_unique<UnigramModel>(document);
}

}  // namespace witan
