// One small class per type, and the table that reads them.
#include "text/normalizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/error.h"
#include "text/json_node.h"
#include "text/precompiled_map.h"
#include "text/text_pattern.h"
#include "text/unicode.h"

namespace witan {
namespace {

// Each character by what `change` appends for it.
template <class Change>
void each_character(std::string& text, const Change& change) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) change(next_character(text, position), result);
  text = std::move(result);
}

template <class Dropped>
void drop(std::string& text, const Dropped& dropped) {
  each_character(text, [&](char32_t c, std::string& out) {
    if (!dropped(c)) append_character(out, c);
  });
}

class Function : public Normalizer {
 public:
  explicit Function(std::function<void(std::string&)> function) : function_(std::move(function)) {}
  void apply(std::string& text) const override { function_(text); }

 private:
  std::function<void(std::string&)> function_;
};

std::unique_ptr<Normalizer> make(std::function<void(std::string&)> function) {
  return std::make_unique<Function>(std::move(function));
}

std::unique_ptr<Normalizer> make_form(NormalForm form) {
  return make([form](std::string& text) { text = normalized(text, form); });
}

// White space off the ends.
void strip(std::string& text, bool left, bool right) {
  std::size_t begin = 0;
  for (std::size_t position = 0; left && position < text.size();) {
    if (!is_white_space(next_character(text, position))) break;
    begin = position;
  }
  std::size_t end = text.size();
  while (right && end > begin) {
    std::size_t start = end - 1;
    while ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    std::size_t position = start;
    if (!is_white_space(next_character(text, position))) break;
    end = start;
  }
  text = text.substr(begin, end - begin);
}

// SentencePiece's rule "nmt": control characters off, what separates words to spaces.
void apply_nmt(std::string& text) {
  each_character(text, [](char32_t c, std::string& out) {
    if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
      return;
    const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
                       c == 0xFFFD;
    append_character(out, space ? U' ' : c);
  });
}

bool is_cjk_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

// BERT's basic tokenisation (Devlin et al. 2019) as far as it changes text.
struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;

  void operator()(std::string& text) const {
    if (clean_text) {
      each_character(text, [](char32_t c, std::string& out) {
        const bool line = c == '\t' || c == '\n' || c == '\r';
        if (c == 0 || c == 0xFFFD || (!line && is_control_or_format(c))) return;
        append_character(out, is_white_space(c) ? U' ' : c);
      });
    }
    if (handle_chinese_chars) {
      each_character(text, [](char32_t c, std::string& out) {
        const bool apart = is_cjk_ideograph(c);
        if (apart) out += ' ';
        append_character(out, c);
        if (apart) out += ' ';
      });
    }
    if (strip_accents) {
      text = normalized(text, NormalForm::kNfd);
      drop(text, is_nonspacing_mark);
    }
    if (lowercase) text = lower_case(text);
  }
};

// No honest normalisation makes more of a text; a chain of replacements from a file could double it without end.
constexpr std::size_t kMostGrowth = 1000;
constexpr std::size_t kAlwaysAllowed = std::size_t{1} << 20;

std::unique_ptr<Normalizer> read(const JsonNode& node, int depth) {
  const std::string type = node.at("type").text();
  if (type == "NFC") return make_form(NormalForm::kNfc);
  if (type == "NFD") return make_form(NormalForm::kNfd);
  if (type == "NFKC") return make_form(NormalForm::kNfkc);
  if (type == "NFKD") return make_form(NormalForm::kNfkd);
  if (type == "Lowercase") return make([](std::string& text) { text = lower_case(text); });
  if (type == "StripAccents") return make([](std::string& text) { drop(text, is_mark); });
  if (type == "Nmt") return make(apply_nmt);
  if (type == "Strip") {
    const bool left = node.at("strip_left").flag();
    const bool right = node.at("strip_right").flag();
    return make([left, right](std::string& text) { strip(text, left, right); });
  }
  if (type == "Prepend") {
    return make([prefix = node.at("prepend").text()](std::string& text) {
      if (!text.empty()) text.insert(0, prefix);
    });
  }
  if (type == "Replace") {
    return make([pattern = std::make_shared<const TextPattern>(node.at("pattern")),
                 content = node.at("content").text()](std::string& text) { text = pattern->replaced(text, content); });
  }
  if (type == "ByteLevel") {
    return make([](std::string& text) {
      std::string result;
      for (const char c : text) result += byte_character(static_cast<unsigned char>(c));
      text = std::move(result);
    });
  }
  if (type == "Precompiled") {
    const JsonNode map = node.at("precompiled_charsmap");
    return make([shared = std::make_shared<const PrecompiledMap>(decode_base64(map.text(), map.path()), map.path())](
                    std::string& text) { text = shared->apply(text); });
  }
  if (type == "Bert" || type == "BertNormalizer") {
    BertNormalizer bert;
    bert.clean_text = node.flag_or("clean_text", true);
    bert.handle_chinese_chars = node.flag_or("handle_chinese_chars", true);
    bert.lowercase = node.flag_or("lowercase", true);
    bert.strip_accents = node.flag_or("strip_accents", bert.lowercase);
    return make(bert);
  }
  if (type == "Sequence") {
    if (depth == kDeepestSequence) node.refuse("sequences nest too deeply");
    std::vector<std::shared_ptr<const Normalizer>> parts;
    for (const JsonNode& item : node.at("normalizers").items()) parts.push_back(read(item, depth + 1));
    return make([parts, path = node.path()](std::string& text) {
      const std::size_t most = kAlwaysAllowed + kMostGrowth * text.size();
      for (const auto& part : parts) {
        part->apply(text);
        if (text.size() > most) fail("{}: the text grows beyond {} bytes", path, most);
      }
    });
  }
  node.refuse(fmt::format(
      "the type {} is unknown (known: Bert, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, "
      "Replace, Sequence, Strip, StripAccents)",
      type));
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const JsonNode& node) { return read(node, 0); }

}  // namespace witan
