// The types of pre-tokenizers. Those that cut at matches share one splitter, which knows what becomes of the matches.
#include "text/pre_tokenizer.h"

#include <fmt/core.h>

#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "text/json_node.h"
#include "text/oniguruma.h"
#include "text/regex.h"
#include "text/text_pattern.h"
#include "text/unicode.h"

namespace witan {
namespace {

using Match = Regex::Match;

enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Where matches come from, one after the other.
class Matcher {
 public:
  Matcher() = default;
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;
  virtual ~Matcher() = default;
  virtual void start(std::string_view text) = 0;
  virtual bool next(Match& match) = 0;
};

class PatternMatcher : public Matcher {
 public:
  explicit PatternMatcher(const TextPattern& pattern) : search_(pattern) {}
  void start(std::string_view text) override { search_.start(text); }
  bool next(Match& match) override { return search_.next(match); }

 private:
  TextPattern::Search search_;
};

class RegexMatcher : public Matcher {
 public:
  explicit RegexMatcher(const Regex& regex) : search_(regex) {}
  void start(std::string_view text) override { search_.start(text); }
  bool next(Match& match) override { return search_.next(match); }

 private:
  Regex::Search search_;
};

// Every character of a kind is a match.
class CharacterMatcher : public Matcher {
 public:
  explicit CharacterMatcher(bool (*belongs)(char32_t)) : belongs_(belongs) {}
  void start(std::string_view text) override {
    text_ = text;
    position_ = 0;
  }
  bool next(Match& match) override {
    while (position_ < text_.size()) {
      const std::size_t begin = position_;
      if (!belongs_(next_character(text_, position_))) continue;
      match = {begin, position_};
      return true;
    }
    return false;
  }

 private:
  bool (*belongs_)(char32_t);
  std::string_view text_;
  std::size_t position_ = 0;
};

// Cuts at matches. A piece that nothing matches goes on whole.
class MatchSplitter : public PieceSink {
 public:
  MatchSplitter(std::unique_ptr<Matcher> matcher, Behavior behavior, bool inverted, PieceSink& next)
      : matcher_(std::move(matcher)), behavior_(behavior), inverted_(inverted), next_(next) {}

  void take(const Piece& piece) override {
    piece_ = piece;
    matcher_->start(piece.text);
    begin();
    std::size_t done = 0;
    for (Match match; matcher_->next(match); done = match.end) {
      if (match.begin != done) part(done, match.begin, inverted_);
      part(match.begin, match.end, !inverted_);
    }
    if (done != piece.text.size()) part(done, piece.text.size(), inverted_);
    if (open_) emit(open_begin_, open_end_);
  }

 private:
  void begin() {
    open_ = false;
    previous_ = false;
  }

  void emit(std::size_t from, std::size_t to) {
    if (from < to) next_.take({piece_.text.substr(from, to - from), piece_.begins_text && from == 0});
  }

  void part(std::size_t from, std::size_t to, bool matched) {
    bool joins = false;  // the part that is open
    switch (behavior_) {
      case Behavior::kRemoved:
        if (!matched) emit(from, to);
        return;
      case Behavior::kIsolated:
        emit(from, to);
        return;
      case Behavior::kContiguous:
        joins = matched == previous_;
        break;
      case Behavior::kMergedWithPrevious:
        joins = matched && !previous_;
        break;
      case Behavior::kMergedWithNext:
        // From the right, a match joins what follows unless that is a match: seen from the left, what follows a match
        // joins it when it is none.
        joins = !matched && previous_;
        break;
    }
    if (open_ && joins) {
      open_end_ = to;
    } else {
      if (open_) emit(open_begin_, open_end_);
      open_ = true;
      open_begin_ = from;
      open_end_ = to;
    }
    previous_ = matched;
  }

  std::unique_ptr<Matcher> matcher_;
  Behavior behavior_;
  bool inverted_;
  PieceSink& next_;
  Piece piece_;
  bool open_ = false;
  bool previous_ = false;
  std::size_t open_begin_ = 0;
  std::size_t open_end_ = 0;
};

// Hands each piece to a function, with a buffer for what it writes.
class EditingSplitter : public PieceSink {
 public:
  using Edit = std::function<void(const Piece& piece, std::string& buffer, PieceSink& next)>;
  EditingSplitter(const Edit& edit, PieceSink& next) : edit_(edit), next_(next) {}
  void take(const Piece& piece) override {
    buffer_.clear();
    edit_(piece, buffer_, next_);
  }

 private:
  const Edit& edit_;
  PieceSink& next_;
  std::string buffer_;
};

class Splitting : public PreTokenizer {
 public:
  Splitting(std::function<std::unique_ptr<Matcher>()> matcher, Behavior behavior, bool inverted = false)
      : matcher_(std::move(matcher)), behavior_(behavior), inverted_(inverted) {}
  std::unique_ptr<PieceSink> splitter(PieceSink& next) const override {
    return std::make_unique<MatchSplitter>(matcher_(), behavior_, inverted_, next);
  }

 private:
  std::function<std::unique_ptr<Matcher>()> matcher_;
  Behavior behavior_;
  bool inverted_;
};

class Editing : public PreTokenizer {
 public:
  explicit Editing(EditingSplitter::Edit edit) : edit_(std::move(edit)) {}
  std::unique_ptr<PieceSink> splitter(PieceSink& next) const override {
    return std::make_unique<EditingSplitter>(edit_, next);
  }

 private:
  EditingSplitter::Edit edit_;
};

std::unique_ptr<PreTokenizer> at_characters(bool (*belongs)(char32_t), Behavior behavior) {
  return std::make_unique<Splitting>([belongs] { return std::make_unique<CharacterMatcher>(belongs); }, behavior);
}

std::unique_ptr<PreTokenizer> at_pattern(const std::shared_ptr<const TextPattern>& pattern, Behavior behavior,
                                         bool inverted) {
  return std::make_unique<Splitting>([pattern] { return std::make_unique<PatternMatcher>(*pattern); }, behavior,
                                     inverted);
}

Behavior read_behavior(const JsonNode& node) {
  const std::string name = node.text();
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  node.refuse(fmt::format(
      "the behavior {} is unknown (known: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous)", name));
}

// SentencePiece's words: spaces become a visible character, which begins each word.
void read_metaspace(const JsonNode& node, std::vector<std::unique_ptr<PreTokenizer>>& steps) {
  std::string mark;
  append_character(mark, node.at("replacement").character());
  std::string scheme = node.text_or("prepend_scheme", "always");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    node.at("prepend_scheme").refuse(fmt::format("{} is unknown (known: always, first, never)", scheme));
  }
  if (!node.flag_or("add_prefix_space", true)) {
    if (node.find("prepend_scheme") && scheme != "never") node.refuse("add_prefix_space contradicts prepend_scheme");
    scheme = "never";
  }
  steps.push_back(std::make_unique<Editing>([mark, scheme](const Piece& piece, std::string& buffer, PieceSink& next) {
    const bool begins = piece.text.front() == ' ' || piece.text.starts_with(mark);
    if (!begins && (scheme == "always" || (scheme == "first" && piece.begins_text))) buffer = mark;
    for (const char c : piece.text) {
      if (c == ' ') {
        buffer += mark;
      } else {
        buffer += c;
      }
    }
    next.take({buffer, piece.begins_text});
  }));
  if (!node.flag_or("split", true)) return;
  steps.push_back(at_pattern(std::make_shared<const TextPattern>(mark), Behavior::kMergedWithNext, false));
}

void read_byte_level(const JsonNode& node, std::vector<std::unique_ptr<PreTokenizer>>& steps) {
  if (node.at("add_prefix_space").flag()) {
    steps.push_back(std::make_unique<Editing>([](const Piece& piece, std::string& buffer, PieceSink& next) {
      if (piece.text.front() == ' ') return next.take(piece);
      buffer = ' ';
      buffer += piece.text;
      next.take({buffer, piece.begins_text});
    }));
  }
  if (node.flag_or("use_regex", true)) {
    // GPT-2's words (Radford et al. 2019).
    const std::string words = oniguruma_to_pcre2(
        R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", node.path());
    const auto regex = std::make_shared<const Regex>(words, node.path());
    steps.push_back(
        std::make_unique<Splitting>([regex] { return std::make_unique<RegexMatcher>(*regex); }, Behavior::kIsolated));
  }
}

void read_fixed_length(const JsonNode& node, std::vector<std::unique_ptr<PreTokenizer>>& steps) {
  const std::optional<JsonNode> field = node.find("length");
  const std::int64_t length = field ? field->integer() : 5;
  if (length < 1) field->refuse(fmt::format("a length of {} is not positive", length));
  steps.push_back(std::make_unique<Editing>([length](const Piece& piece, std::string&, PieceSink& next) {
    for (std::size_t begin = 0; begin < piece.text.size();) {
      std::size_t end = begin;
      for (std::int64_t i = 0; i < length && end < piece.text.size(); ++i) next_character(piece.text, end);
      next.take({piece.text.substr(begin, end - begin), piece.begins_text && begin == 0});
      begin = end;
    }
  }));
}

void read(const JsonNode& node, int depth, PreTokenizers& result) {
  std::vector<std::unique_ptr<PreTokenizer>>& steps = result.steps;
  if (result.ends_in_byte_characters) {  // not the last one after all
    steps.push_back(byte_characters_step());
    result.ends_in_byte_characters = false;
  }
  const std::string type = node.at("type").text();
  if (type == "Sequence") {
    if (depth == kDeepestSequence) node.refuse("sequences nest too deeply");
    for (const JsonNode& item : node.at("pretokenizers").items()) read(item, depth + 1, result);
  } else if (type == "Split") {
    auto pattern = std::make_shared<const TextPattern>(node.at("pattern"));
    steps.push_back(at_pattern(pattern, read_behavior(node.at("behavior")), node.flag_or("invert", false)));
  } else if (type == "ByteLevel") {
    read_byte_level(node, steps);
    result.ends_in_byte_characters = true;
  } else if (type == "Metaspace") {
    read_metaspace(node, steps);
  } else if (type == "Digits") {
    const bool one_by_one = node.flag_or("individual_digits", false);
    steps.push_back(at_characters(is_number, one_by_one ? Behavior::kIsolated : Behavior::kContiguous));
  } else if (type == "Punctuation") {
    const std::optional<JsonNode> behavior = node.find("behavior");
    steps.push_back(at_characters(is_punctuation, behavior ? read_behavior(*behavior) : Behavior::kIsolated));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(at_characters(is_white_space, Behavior::kRemoved));
  } else if (type == "Whitespace") {
    // Runs of word characters, and runs of what is neither word nor space: contiguous parts once spaces are removed.
    steps.push_back(at_characters(is_white_space, Behavior::kRemoved));
    steps.push_back(at_characters(is_word, Behavior::kContiguous));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(at_characters(is_white_space, Behavior::kRemoved));
    steps.push_back(at_characters(is_punctuation, Behavior::kIsolated));
  } else if (type == "CharDelimiterSplit" || type == "Delimiter") {
    std::string delimiter;
    append_character(delimiter, node.at("delimiter").character());
    steps.push_back(at_pattern(std::make_shared<const TextPattern>(delimiter), Behavior::kRemoved, false));
  } else if (type == "FixedLength") {
    read_fixed_length(node, steps);
  } else {
    node.refuse(
        fmt::format("the type {} is unknown (known: BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, "
                    "FixedLength, Metaspace, "
                    "Punctuation, Sequence, Split, Whitespace, WhitespaceSplit)",
                    type));
  }
}

}  // namespace

PreTokenizers read_pre_tokenizer(const JsonNode& node) {
  PreTokenizers result;
  read(node, 0, result);
  return result;
}

std::unique_ptr<PreTokenizer> byte_characters_step() {
  return std::make_unique<Editing>([](const Piece& piece, std::string& buffer, PieceSink& next) {
    for (const char c : piece.text) buffer += byte_character(static_cast<unsigned char>(c));
    next.take({buffer, piece.begins_text});
  });
}

}  // namespace witan
