// The BPE of a tokenizer.json: characters to ids, by bytes or the unknown token where there is none, then merging.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/json_node.h"
#include "text/merge_borders.h"
#include "text/token_model.h"
#include "text/tokenizer_document.h"
#include "text/unicode.h"

namespace witan {
namespace {

struct Options {
  std::string unknown;  // empty: none
  std::string prefix;   // of what continues a word
  std::string suffix;   // of what ends one
  bool fuse_unknown = false;
  bool byte_fallback = false;
  bool ignore_merges = false;  // a word that is a token is that token
};

Options read_options(const TokenizerDocument& document) {
  const JsonNode model = JsonNode(*document.parts, document.file).at("model");
  if (const auto dropout = model.find("dropout")) {
    if (!dropout->json().is_number() || dropout->json() != 0) {
      dropout->refuse("dropout makes encoding random, which Witan does not support");
    }
  }
  Options options;
  options.unknown = model.text_or("unk_token", "");
  options.prefix = model.text_or("continuing_subword_prefix", "");
  options.suffix = model.text_or("end_of_word_suffix", "");
  options.fuse_unknown = model.flag_or("fuse_unk", false);
  options.byte_fallback = model.flag_or("byte_fallback", false);
  options.ignore_merges = model.flag_or("ignore_merges", false);
  return options;
}

class BpeModel : public TokenModel {
 public:
  BpeModel(const TokenizerDocument& document, bool words_are_bytes)
      : options_(read_options(document)),
        file_(document.file),
        vocabulary_(document.vocabulary),
        words_are_bytes_(words_are_bytes),
        merger_(document.merges.size()) {
    read_merges(document);
    if (!options_.unknown.empty()) unknown_ = vocabulary_.find(options_.unknown);
    for (unsigned byte = 0; byte < 256; ++byte) {
      byte_ids_[byte] = vocabulary_.find(words_are_bytes ? std::string(byte_character(static_cast<unsigned char>(byte)))
                                                         : fmt::format("<0x{:02X}>", byte));
    }
    for (std::size_t c = 0; c < ascii_.size(); ++c) {
      const auto character = static_cast<char>(c);
      ascii_[c] = vocabulary_.find({&character, 1});
    }
    // Unknown characters side by side become one token, and one waits for the bytes behind it: words are no islands
    // then.
    const bool all_bytes = std::ranges::all_of(byte_ids_, [](std::int32_t id) { return id >= 0; });
    // And where those without a token are left out, what stood apart meets.
    if (options_.byte_fallback ? !all_bytes : options_.unknown.empty() || options_.fuse_unknown) may_cut_ = false;
    if (words_are_bytes && options_.ignore_merges) {
      for (std::int32_t id = 0; id < vocabulary_.end_id(); ++id) {
        if (!vocabulary_.contains(id)) continue;
        if (const auto bytes = bytes_of_characters(vocabulary_.token(id))) words_.add(*bytes, id);
      }
    }
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const override {
    // Cutting a long text into words first keeps merging short; a whole word that is a token comes before.
    if (!may_cut_ || word.size() <= WordCache::kLongest) return encode_word(word, scratch, out);
    while (!word.empty()) {
      const std::string_view part = word.substr(0, borders_.word_length(word));
      encode_word(part, scratch, out);
      word.remove_prefix(part.size());
    }
  }

 private:
  void read_merges(const TokenizerDocument& document) {
    const std::string where = file_ + ": model.merges";
    if (!document.has_merges) fail("{}: a BPE model needs them", where);
    may_cut_ = !words_are_bytes_ && !options_.ignore_merges && options_.prefix.empty() && options_.suffix.empty();
    std::string merged;
    for (std::size_t rank = 0; rank < document.merges.size(); ++rank) {
      const std::string_view left = document.text(document.merges[rank].left);
      const std::string_view right = document.text(document.merges[rank].right);
      if (right.size() < options_.prefix.size()) {
        fail("{}[{}]: \"{}\" is shorter than the prefix of what continues a word", where, rank, right);
      }
      merged = left;
      merged += right.substr(options_.prefix.size());
      const std::int32_t left_id = find(left, where, rank);
      const std::int32_t right_id = find(right, where, rank);
      merger_.add(left_id, right_id, static_cast<std::uint32_t>(rank), find(merged, where, rank));
      borders_.add_token(merged);
      // A byte token stands for what no border knows.
      if (left.starts_with("<0x") || right.starts_with("<0x")) may_cut_ = false;
    }
  }

  std::int32_t find(std::string_view token, const std::string& where, std::size_t rank) const {
    const std::int32_t id = vocabulary_.find(token);
    if (id < 0) fail("{}[{}]: the token \"{}\" is not in the vocabulary", where, rank, token);
    return id;
  }

  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const {
    const std::size_t hash = WordCache::hash_of(word);
    if (scratch.cache.recall(word, hash, out)) return;
    const std::size_t begin = out.size();
    const std::int32_t whole = !options_.ignore_merges ? -1 : (words_are_bytes_ ? words_ : vocabulary_).find(word);
    if (whole >= 0) {
      out.push_back(whole);
    } else {
      if (words_are_bytes_) {
        add_bytes(word, out);
      } else {
        add_characters(word, scratch.text, out);
      }
      merger_.merge(out, begin, scratch.merger);
    }
    scratch.cache.keep(word, hash, std::span(out).subspan(begin));
  }

  void add_characters(std::string_view word, std::string& text, std::vector<std::int32_t>& out) const {
    const bool decorated = !options_.prefix.empty() || !options_.suffix.empty();
    bool unknown_is_open = false;  // the last id is the unknown token, and may stand for more
    for (std::size_t begin = 0; begin < word.size();) {
      std::size_t end = begin;
      next_character(word, end);
      std::string_view character = word.substr(begin, end - begin);
      if (decorated) {
        text.clear();
        if (begin > 0) text += options_.prefix;
        text += character;
        if (end == word.size()) text += options_.suffix;
        character = text;
      }
      begin = end;
      const std::int32_t id = character.size() == 1 && static_cast<unsigned char>(character[0]) < 0x80
                                  ? ascii_[static_cast<unsigned char>(character[0])]
                                  : vocabulary_.find(character);
      if (id >= 0) {
        out.push_back(id);
        unknown_is_open = false;
      } else if (options_.byte_fallback && has_bytes(character)) {
        // Hugging Face lets bytes pass before an unknown token that is still open: it closes behind them.
        if (unknown_is_open) {
          out.pop_back();
          add_bytes(character, out);
          out.push_back(unknown_);
        } else {
          add_bytes(character, out);
        }
      } else if (!options_.unknown.empty()) {
        if (unknown_ < 0) fail("{}: model.unk_token: \"{}\" is not in the vocabulary", file_, options_.unknown);
        if (!unknown_is_open || !options_.fuse_unknown) out.push_back(unknown_);
        unknown_is_open = true;
      }
    }
  }

  bool has_bytes(std::string_view character) const {
    return std::ranges::all_of(character, [this](char c) { return byte_ids_[static_cast<unsigned char>(c)] >= 0; });
  }
  void add_bytes(std::string_view character, std::vector<std::int32_t>& out) const {
    for (const char c : character) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  }

  Options options_;
  std::string file_;
  Vocabulary vocabulary_;
  Vocabulary words_;  // by their bytes, where words come as bytes
  bool words_are_bytes_;
  BpeMerger merger_;
  MergeBorders borders_;
  bool may_cut_ = false;
  std::array<std::int32_t, 256> byte_ids_{};
  std::array<std::int32_t, 128> ascii_{};
  std::int32_t unknown_ = -1;
};

}  // namespace

std::unique_ptr<TokenModel> make_bpe_model(const TokenizerDocument& document, bool words_are_bytes) {
  return std::make_unique<BpeModel>(document, words_are_bytes);
}

bool can_take_bytes(const TokenizerDocument& document) {
  const Options options = read_options(document);
  if (!options.prefix.empty() || !options.suffix.empty()) return false;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (document.vocabulary.find(byte_character(static_cast<unsigned char>(byte))) < 0) return false;
  }
  return true;
}

}  // namespace witan
