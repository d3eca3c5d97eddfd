// One class per type of decoder: what it does to a stream of tokens.
#include "text/token_decoder.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "base/error.h"
#include "text/json_node.h"
#include "text/text_pattern.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace witan {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t position = text.find(from); position != std::string::npos;
       position = text.find(from, position + to.size())) {
    text.replace(position, from.size(), to);
  }
}

// A step that makes a stage of class Stage, with a copy of itself as the settings.
template <class Stage, class Settings>
class Step : public DecoderStep {
 public:
  explicit Step(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<DecodeStage> stage(DecodeStage& next) const override {
    return std::make_unique<Stage>(settings_, &next);
  }
  std::string inside(std::string token) const override { return Stage::inside(settings_, std::move(token)); }

 private:
  Settings settings_;
};

struct Nothing {};

struct Replacing {
  std::shared_ptr<const TextPattern> pattern;
  std::string content;
};
class ReplaceStage : public DecodeStage {
 public:
  ReplaceStage(const Replacing& settings, DecodeStage* next) : DecodeStage(next), settings_(settings) {}
  void token(std::string_view text) override { next().token(settings_.pattern->replaced(text, settings_.content)); }
  void part(std::string_view text) override {
    const std::string* plain = settings_.pattern->plain();
    if (plain == nullptr) return DecodeStage::part(text);
    held_ += text;
    std::size_t done = 0;
    for (std::size_t found = held_.find(*plain); found != std::string::npos; found = held_.find(*plain, done)) {
      next().part(held_.substr(done, found - done) + settings_.content);
      done = found + plain->size();
    }
    // What could be the start of another match waits.
    std::size_t keep = std::min(plain->size() - 1, held_.size() - done);
    while (!held_.ends_with(plain->substr(0, keep))) --keep;
    next().part(held_.substr(done, held_.size() - keep - done));
    held_.erase(0, held_.size() - keep);
  }
  static std::string inside(const Replacing& settings, const std::string& token) {
    return settings.pattern->replaced(token, settings.content);
  }

 protected:
  void flush() override {
    if (!held_.empty()) next().part(held_);
  }

 private:
  const Replacing& settings_;
  std::string held_;
};

// The byte of "<0x0A>".
std::optional<char> byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char digit : token.substr(3, 2)) {
    const char lower = static_cast<char>(digit | 0x20);
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (lower < 'a' || lower > 'f')) return std::nullopt;
    value = value * 16 + (decimal ? digit - '0' : lower - 'a' + 10);
  }
  return static_cast<char>(value);
}

// Runs of byte tokens are characters when the whole run is; else each byte is one that could not be read.
class ByteFallbackStage : public DecodeStage {
 public:
  ByteFallbackStage(const Nothing&, DecodeStage* next) : DecodeStage(next) {}
  void token(std::string_view text) override {
    if (const auto byte = byte_token(text)) {
      bytes_ += *byte;
    } else {
      flush();
      next().token(text);
    }
  }
  static std::string inside(const Nothing&, std::string token) {
    if (const auto byte = byte_token(token)) return {*byte};
    return token;
  }

 protected:
  void flush() override {
    if (find_invalid_utf8(bytes_) == std::string::npos) {
      if (!bytes_.empty()) next().token(bytes_);
    } else {
      for (std::size_t i = 0; i < bytes_.size(); ++i) next().token(kReplacementCharacter);
    }
    bytes_.clear();
  }

 private:
  std::string bytes_;
};

class FuseStage : public DecodeStage {
 public:
  FuseStage(const Nothing&, DecodeStage* next) : DecodeStage(next) {}
  void token(std::string_view text) override { next().part(text); }
  void part(std::string_view text) override { next().part(text); }
  static std::string inside(const Nothing&, std::string token) { return token; }
};

struct Stripping {
  std::string content;  // one character
  std::int64_t start = 0;
  std::int64_t stop = 0;
};
class StripStage : public DecodeStage {
 public:
  StripStage(const Stripping& settings, DecodeStage* next) : DecodeStage(next), settings_(settings) {}
  void token(std::string_view text) override {
    for (std::int64_t i = 0; i < settings_.start && text.starts_with(settings_.content); ++i) {
      text.remove_prefix(settings_.content.size());
    }
    for (std::int64_t i = 0; i < settings_.stop && text.ends_with(settings_.content); ++i) {
      text.remove_suffix(settings_.content.size());
    }
    next().token(text);
  }
  void part(std::string_view text) override {
    for (; at_start_ && !text.empty(); ++stripped_) {
      at_start_ = stripped_ < settings_.start && text.starts_with(settings_.content);
      if (at_start_) text.remove_prefix(settings_.content.size());
    }
    held_ += text;
    std::size_t keep = 0;
    for (std::int64_t i = 0; i < settings_.stop; ++i) {
      const std::string_view rest = std::string_view(held_).substr(0, held_.size() - keep);
      if (!rest.ends_with(settings_.content)) break;
      keep += settings_.content.size();
    }
    next().part(std::string_view(held_).substr(0, held_.size() - keep));
    held_.erase(0, held_.size() - keep);
  }
  static std::string inside(const Stripping&, std::string token) { return token; }

 private:
  const Stripping& settings_;
  bool at_start_ = true;
  std::int64_t stripped_ = 0;
  std::string held_;  // what is stripped if nothing follows
};

class ByteLevelStage : public DecodeStage {
 public:
  ByteLevelStage(const Nothing&, DecodeStage* next) : DecodeStage(next) {}
  void token(std::string_view text) override { next().part(decoder_.push(inside({}, std::string(text)))); }
  static std::string inside(const Nothing&, const std::string& token) {
    return bytes_of_characters(token).value_or(token);  // not byte-level: the token is text
  }

 protected:
  void flush() override { next().part(decoder_.finish()); }

 private:
  StreamDecoder decoder_;
};

struct MetaspaceSettings {
  std::string mark;
  bool drops_first = true;  // the marks of the first token are not spaces of the text
};
class MetaspaceStage : public DecodeStage {
 public:
  MetaspaceStage(const MetaspaceSettings& settings, DecodeStage* next) : DecodeStage(next), settings_(settings) {}
  void token(std::string_view text) override {
    next().token(plain(text));
    is_first_ = false;
  }
  void part(std::string_view text) override { next().part(plain(text)); }
  static std::string inside(const MetaspaceSettings& settings, std::string token) {
    replace_all(token, settings.mark, " ");
    return token;
  }

 private:
  std::string plain(std::string_view text) const {
    std::string result(text);
    replace_all(result, settings_.mark, is_first_ && settings_.drops_first ? "" : " ");
    return result;
  }

  const MetaspaceSettings& settings_;
  bool is_first_ = true;
};

struct WordPieceSettings {
  std::string prefix;
  bool cleanup = false;
};
void clean_up(std::string& text) {
  for (const char* mark : {" .", " ?", " !", " ,"}) replace_all(text, mark, mark + 1);
  replace_all(text, " ' ", "'");
  replace_all(text, " n't", "n't");
  replace_all(text, " 'm", "'m");
  replace_all(text, " do not", " don't");
  for (const char* ending : {" 's", " 've", " 're"}) replace_all(text, ending, ending + 1);
}
class WordPieceStage : public DecodeStage {
 public:
  WordPieceStage(const WordPieceSettings& settings, DecodeStage* next) : DecodeStage(next), settings_(settings) {}
  void token(std::string_view text) override {
    std::string result(text);
    if (!is_first_) {
      result = inside(settings_, std::move(result));
    } else if (settings_.cleanup) {
      clean_up(result);
    }
    is_first_ = false;
    next().token(result);
  }
  static std::string inside(const WordPieceSettings& settings, std::string token) {
    if (token.starts_with(settings.prefix)) {
      token.erase(0, settings.prefix.size());
    } else {
      token.insert(0, " ");
    }
    if (settings.cleanup) clean_up(token);
    return token;
  }

 private:
  const WordPieceSettings& settings_;
  bool is_first_ = true;
};

// The suffix that ends words becomes a space, but not at the end of the text.
class SuffixStage : public DecodeStage {
 public:
  SuffixStage(const std::string& suffix, DecodeStage* next) : DecodeStage(next), suffix_(suffix) {}
  void token(std::string_view text) override {
    if (held_) next().token(inside(suffix_, *held_));
    held_ = std::string(text);
  }
  static std::string inside(const std::string& suffix, std::string token) {
    replace_all(token, suffix, " ");
    return token;
  }

 protected:
  void flush() override {
    if (!held_) return;
    replace_all(*held_, suffix_, "");
    next().token(*held_);
  }

 private:
  const std::string& suffix_;
  std::optional<std::string> held_;
};

struct CtcSettings {
  std::string pad;
  std::string delimiter;
  bool cleanup = false;
};
class CtcStage : public DecodeStage {
 public:
  CtcStage(const CtcSettings& settings, DecodeStage* next) : DecodeStage(next), settings_(settings) {}
  void token(std::string_view text) override {
    if (last_ == text) return;
    last_ = std::string(text);
    const std::string result = inside(settings_, std::string(text));
    if (!result.empty()) next().token(result);
  }
  static std::string inside(const CtcSettings& settings, std::string token) {
    replace_all(token, settings.pad, "");
    if (settings.cleanup) {
      clean_up(token);
      replace_all(token, settings.delimiter, " ");
    }
    return token;
  }

 private:
  const CtcSettings& settings_;
  std::optional<std::string> last_;
};

class JoinStage : public DecodeStage {
 public:
  JoinStage(const Nothing&, DecodeStage* next) : DecodeStage(next) {}
  void token(std::string_view text) override {
    if (!is_first_) next().token(" ");
    is_first_ = false;
    next().token(text);
  }
  static std::string inside(const Nothing&, const std::string& token) { return " " + token; }

 private:
  bool is_first_ = true;
};

void read(const JsonNode& node, int depth, std::vector<std::unique_ptr<DecoderStep>>& steps) {
  const std::string type = node.at("type").text();
  if (type == "Sequence") {
    if (depth == kDeepestSequence) node.refuse("sequences nest too deeply");
    for (const JsonNode& item : node.at("decoders").items()) read(item, depth + 1, steps);
  } else if (type == "ByteLevel") {
    steps.push_back(std::make_unique<Step<ByteLevelStage, Nothing>>(Nothing{}));
  } else if (type == "ByteFallback") {
    steps.push_back(std::make_unique<Step<ByteFallbackStage, Nothing>>(Nothing{}));
  } else if (type == "Fuse") {
    steps.push_back(std::make_unique<Step<FuseStage, Nothing>>(Nothing{}));
  } else if (type == "Replace") {
    Replacing settings{std::make_shared<const TextPattern>(node.at("pattern")), node.at("content").text()};
    steps.push_back(std::make_unique<Step<ReplaceStage, Replacing>>(std::move(settings)));
  } else if (type == "Strip") {
    Stripping settings;
    append_character(settings.content, node.at("content").character());
    settings.start = node.at("start").integer();
    settings.stop = node.at("stop").integer();
    steps.push_back(std::make_unique<Step<StripStage, Stripping>>(std::move(settings)));
  } else if (type == "Metaspace") {
    MetaspaceSettings settings;
    append_character(settings.mark, node.at("replacement").character());
    settings.drops_first =
        node.flag_or("add_prefix_space", true) && node.text_or("prepend_scheme", "always") != "never";
    steps.push_back(std::make_unique<Step<MetaspaceStage, MetaspaceSettings>>(std::move(settings)));
  } else if (type == "WordPiece") {
    WordPieceSettings settings{node.text_or("prefix", "##"), node.flag_or("cleanup", true)};
    steps.push_back(std::make_unique<Step<WordPieceStage, WordPieceSettings>>(std::move(settings)));
  } else if (type == "BPEDecoder") {
    steps.push_back(std::make_unique<Step<SuffixStage, std::string>>(node.text_or("suffix", "</w>")));
  } else if (type == "CTC") {
    CtcSettings settings{node.text_or("pad_token", "<pad>"), node.text_or("word_delimiter_token", "|"),
                         node.flag_or("cleanup", true)};
    steps.push_back(std::make_unique<Step<CtcStage, CtcSettings>>(std::move(settings)));
  } else {
    node.refuse(
        fmt::format("the type {} is unknown (known: BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, "
                    "Replace, Sequence, Strip, WordPiece)",
                    type));
  }
}

}  // namespace

// The end of a chain.
class DecoderChain::Sink : public DecodeStage {
 public:
  Sink() : DecodeStage(nullptr) {}
  void token(std::string_view given) override { text += given; }
  void part(std::string_view given) override { text += given; }
  std::string text;
};

DecoderChain::DecoderChain(const std::vector<std::unique_ptr<DecoderStep>>& steps) {
  stages_.push_back(std::make_unique<Sink>());
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) stages_.push_back((*step)->stage(*stages_.back()));
}

void DecoderChain::push(std::string_view token) { stages_.back()->token(token); }
void DecoderChain::finish() { stages_.back()->finish(); }
std::string DecoderChain::take() { return std::exchange(static_cast<Sink&>(*stages_.front()).text, {}); }

std::vector<std::unique_ptr<DecoderStep>> read_decoder(const JsonNode& node) {
  std::vector<std::unique_ptr<DecoderStep>> steps;
  read(node, 0, steps);
  return steps;
}

std::vector<std::unique_ptr<DecoderStep>> joining_decoder() {
  std::vector<std::unique_ptr<DecoderStep>> steps;
  steps.push_back(std::make_unique<Step<JoinStage, Nothing>>(Nothing{}));
  return steps;
}

}  // namespace witan
