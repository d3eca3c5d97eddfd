// White space control first: what tags take of the text around them is decided where the text is cut.
#include "text/template_lexer.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/unicode.h"

namespace witan {
namespace {

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_decimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

// "\r\n" and "\r" are "\n" to Jinja, in strings too.
std::string with_newlines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && source.substr(i + 1).starts_with('\n')) continue;
    result += source[i] == '\r' ? '\n' : source[i];
  }
  return result;
}

// How many characters from `at` on are digits, with single underscores between them.
template <class IsDigit>
std::size_t digits_from(std::string_view text, std::size_t at, const IsDigit& is_digit) {
  std::size_t end = at;
  while (end < text.size()) {
    const bool joins = text[end] == '_' && end > at && end + 1 < text.size() && is_digit(text[end + 1]);
    if (!is_digit(text[end]) && !joins) break;
    ++end;
  }
  return end - at;
}

class TemplateLexer {
 public:
  // `source` has newlines as with_newlines() gives them, and outlives this.
  TemplateLexer(std::string_view source, const std::string& where) : source_(source), where_(where) {
    // As Jinja does: one newline at the end of a template is not part of it.
    if (source_.ends_with('\n')) source_.remove_suffix(1);
  }

  std::vector<TemplateToken> run() {
    while (position_ < source_.size()) {
      const std::size_t tag = find_tag();
      text(tag);
      if (tag == std::string_view::npos) break;
      position_ = tag;
      if (source_[tag + 1] == '#') {
        comment();
      } else {
        inside_tag();
      }
    }
    add(TemplateToken::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(const char* what) const { fail("{}: line {}: {}", where_, line_, what); }

  void add(TemplateToken::Kind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  void skip(std::size_t count) {
    line_ += static_cast<int>(std::ranges::count(source_.substr(position_, count), '\n'));
    position_ += count;
  }

  std::size_t find_tag() const {
    for (std::size_t at = source_.find('{', position_); at != std::string_view::npos; at = source_.find('{', at + 1)) {
      if (at + 1 == source_.size()) break;
      if (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#') return at;
    }
    return std::string_view::npos;
  }

  // From here to the tag, less what the tags on both sides take.
  void text(std::size_t tag) {
    std::string_view part = source_.substr(position_, tag - position_);
    const std::size_t length = part.size();
    if (strip_next_) {
      while (!part.empty() && is_blank(part.front())) part.remove_prefix(1);
    } else if (trim_next_ && part.starts_with('\n')) {
      part.remove_prefix(1);
    }
    const bool at_line_start = position_ == 0 || source_[position_ - 1] == '\n' || (trim_next_ && part.size() < length);
    if (tag != std::string_view::npos) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      if (sign == '-') {
        while (!part.empty() && is_blank(part.back())) part.remove_suffix(1);
      } else if (sign != '+' && source_[tag + 1] != '{') {
        std::size_t end = part.size();
        while (end > 0 && (part[end - 1] == ' ' || part[end - 1] == '\t')) --end;
        if (end == 0 ? at_line_start : part[end - 1] == '\n') part = part.substr(0, end);
      }
    }
    if (!part.empty()) add(TemplateToken::Kind::kText, std::string(part));
    skip(length);
    strip_next_ = trim_next_ = false;
  }

  void comment() {
    const std::size_t end = source_.find("#}", position_ + 2);
    if (end == std::string_view::npos) refuse("a comment is not closed");
    strip_next_ = source_[end - 1] == '-' && end > position_ + 2;
    trim_next_ = true;
    skip(end + 2 - position_);
  }

  void inside_tag() {
    const bool block = source_[position_ + 1] == '%';
    const std::string_view close = block ? "%}" : "}}";
    skip(2);
    if (position_ < source_.size() && (source_[position_] == '-' || source_[position_] == '+')) skip(1);
    add(block ? TemplateToken::Kind::kBlockBegin : TemplateToken::Kind::kPrintBegin, "");
    int brackets = 0;  // within which "}}" may close two of them
    for (;;) {
      while (position_ < source_.size() && is_blank(source_[position_])) skip(1);
      const std::string_view rest = source_.substr(position_);
      if (rest.empty()) refuse("a tag is not closed");
      const bool signed_close = (rest[0] == '-' || rest[0] == '+') && rest.substr(1).starts_with(close);
      if ((rest.starts_with(close) && (block || brackets == 0)) || signed_close) {
        strip_next_ = rest[0] == '-';
        trim_next_ = block && rest[0] != '+';
        skip(close.size() + (signed_close ? 1 : 0));
        add(block ? TemplateToken::Kind::kBlockEnd : TemplateToken::Kind::kPrintEnd, "");
        return;
      }
      token(rest, brackets);
    }
  }

  void token(std::string_view rest, int& brackets) {
    if (begins_name(rest[0])) {
      std::size_t end = 1;
      while (end < rest.size() && (begins_name(rest[end]) || is_decimal(rest[end]))) ++end;
      add(TemplateToken::Kind::kName, std::string(rest.substr(0, end)));
      skip(end);
    } else if (is_decimal(rest[0])) {
      number(rest);
    } else if (rest[0] == '\'' || rest[0] == '"') {
      string(rest[0]);
    } else {
      constexpr std::array<std::string_view, 27> kOperators = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                               "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                               "]",  "{",  "}",  ".",  ",",  ":",  "|", ";", "!"};
      const auto found = std::ranges::find_if(kOperators, [&](std::string_view one) { return rest.starts_with(one); });
      if (found == kOperators.end()) refuse("a character that means nothing here");
      if (*found == "{" || *found == "[" || *found == "(") ++brackets;
      if (*found == "}" || *found == "]" || *found == ")") --brackets;
      add(TemplateToken::Kind::kOperator, std::string(*found));
      skip(found->size());
    }
  }

  // Python's numbers but for 1. and 1j; 0 begins no longer one in decimals. Behind a dot no fraction: a.0.1.
  void number(std::string_view rest) {
    std::size_t end = digits_from(rest, 0, is_decimal);
    std::size_t length = end;
    if (position_ == 0 || source_[position_ - 1] != '.') {
      const std::size_t fraction =
          length < rest.size() && rest[length] == '.' ? digits_from(rest, length + 1, is_decimal) : 0;
      if (fraction > 0) length += 1 + fraction;
      const std::string_view tail = rest.substr(length);
      if (tail.starts_with('e') || tail.starts_with('E')) {
        const std::size_t sign = tail.size() > 1 && (tail[1] == '+' || tail[1] == '-') ? 1 : 0;
        const std::size_t exponent = digits_from(tail, 1 + sign, is_decimal);
        if (exponent > 0) length += 1 + sign + exponent;
      }
    }
    const bool whole = length == end;
    if (whole && rest[0] == '0') {
      const char letter = rest.size() > 2 ? static_cast<char>(rest[1] | 0x20) : '\0';
      const auto fits = [letter](char c) {
        return letter == 'x' ? is_hex(c) : c >= '0' && c <= (letter == 'o' ? '7' : '1');
      };
      const bool prefixed = letter == 'x' || letter == 'o' || letter == 'b';
      const std::size_t more = prefixed ? digits_from(rest, rest[2] == '_' ? 3 : 2, fits) : 0;
      length = more > 0 ? more + (rest[2] == '_' ? 3 : 2) : digits_from(rest, 0, [](char c) { return c == '0'; });
    }
    std::string digits(rest.substr(0, length));
    std::erase(digits, '_');
    constexpr std::size_t kMostDigits = 18;
    if (whole ? digits.size() > kMostDigits : digits.size() > 10 * kMostDigits) refuse("a number is too long");
    add(whole ? TemplateToken::Kind::kInteger : TemplateToken::Kind::kFloat, digits);
    skip(length);
  }

  void string(char quote) {
    const int begin_line = line_;
    std::string content;
    for (skip(1);; skip(1)) {
      if (position_ >= source_.size()) refuse("a string is not closed");
      const char c = source_[position_];
      if (c == quote) break;
      if (c != '\\') {
        content += c;
        continue;
      }
      skip(1);
      if (position_ >= source_.size()) refuse("a string is not closed");
      escape(content);
    }
    skip(1);
    tokens_.push_back({TemplateToken::Kind::kString, begin_line, std::move(content)});
  }

  // Python's escapes; an unknown one is itself.
  void escape(std::string& content) {
    const char c = source_[position_];
    constexpr std::string_view kLetters = "nrtbfav0";
    constexpr std::string_view kMeaning("\n\r\t\b\f\a\v\0", 8);
    const std::size_t known = kLetters.find(c);
    if (known != std::string_view::npos) {
      content += kMeaning[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      char32_t character = 0;
      for (std::size_t i = 1; i <= count; ++i) {
        const char digit = position_ + i < source_.size() ? source_[position_ + i] : '\0';
        const char lower = static_cast<char>(digit | 0x20);
        if (!is_decimal(digit) && (lower < 'a' || lower > 'f')) refuse("an escape needs more digits");
        character = character * 16 + static_cast<char32_t>(is_decimal(digit) ? digit - '0' : lower - 'a' + 10);
      }
      if (character > 0x10FFFF) refuse("an escape is no character");
      if (character >= 0xD800 && character < 0xE000) refuse("an escape is half a character");
      append_character(content, character);
      skip(count);
    } else if (c == '\\' || c == '\'' || c == '"') {
      content += c;
    } else if (c != '\n') {
      content += {'\\', c};
    }
  }

  std::string_view source_;
  const std::string& where_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool strip_next_ = false;  // the last tag takes all white space behind it
  bool trim_next_ = false;   // the last tag takes the newline behind it
  std::vector<TemplateToken> tokens_;
};

}  // namespace

std::vector<TemplateToken> lex_template(std::string_view source, const std::string& where) {
  const std::string normal = with_newlines(source);
  return TemplateLexer(normal, where).run();
}

}  // namespace witan
