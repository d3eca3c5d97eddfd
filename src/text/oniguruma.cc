// One pass from left to right. Character classes are parsed into what PCRE2 can write as one class, and alternatives
// where it cannot (intersections, complements inside a class).
#include "text/oniguruma.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "base/error.h"
#include "text/unicode.h"

namespace witan {
namespace {

// Members of a PCRE2 class. The complements are spelled out by category, since a class cannot hold a complement of a
// set.
constexpr std::string_view kSpace = R"(\x09-\x0d\x{85}\p{Z})";
constexpr std::string_view kNotSpace =
    R"(\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Cn}\p{Co})";
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
// Outside of a class Oniguruma counts the superscripts and fractions of Latin-1 among word characters.
constexpr std::string_view kLatin1Word = R"(\xb2\xb3\xb9\xbc-\xbe)";
constexpr std::string_view kDigit = R"(\p{Nd})";
constexpr std::string_view kNotDigit = R"(\P{Nd})";
constexpr std::string_view kHexDigit = "0-9A-Fa-f";
constexpr std::string_view kNotHexDigit = R"(\x00-/:-@G-`g-\x{10ffff})";

bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct PropertyName {
  std::string_view oniguruma;  // lower case, without spaces and underscores
  std::string_view members;    // of a PCRE2 class
};
// What PCRE2 would not know by that name, and the POSIX names with Unicode's meaning.
constexpr std::array kProperties = {PropertyName{"letter", R"(\p{L})"},
                                    PropertyName{"uppercaseletter", R"(\p{Lu})"},
                                    PropertyName{"lowercaseletter", R"(\p{Ll})"},
                                    PropertyName{"titlecaseletter", R"(\p{Lt})"},
                                    PropertyName{"modifierletter", R"(\p{Lm})"},
                                    PropertyName{"otherletter", R"(\p{Lo})"},
                                    PropertyName{"mark", R"(\p{M})"},
                                    PropertyName{"nonspacingmark", R"(\p{Mn})"},
                                    PropertyName{"spacingmark", R"(\p{Mc})"},
                                    PropertyName{"enclosingmark", R"(\p{Me})"},
                                    PropertyName{"number", R"(\p{N})"},
                                    PropertyName{"decimalnumber", R"(\p{Nd})"},
                                    PropertyName{"letternumber", R"(\p{Nl})"},
                                    PropertyName{"othernumber", R"(\p{No})"},
                                    PropertyName{"punctuation", R"(\p{P})"},
                                    PropertyName{"connectorpunctuation", R"(\p{Pc})"},
                                    PropertyName{"dashpunctuation", R"(\p{Pd})"},
                                    PropertyName{"openpunctuation", R"(\p{Ps})"},
                                    PropertyName{"closepunctuation", R"(\p{Pe})"},
                                    PropertyName{"initialpunctuation", R"(\p{Pi})"},
                                    PropertyName{"finalpunctuation", R"(\p{Pf})"},
                                    PropertyName{"otherpunctuation", R"(\p{Po})"},
                                    PropertyName{"symbol", R"(\p{S})"},
                                    PropertyName{"mathsymbol", R"(\p{Sm})"},
                                    PropertyName{"currencysymbol", R"(\p{Sc})"},
                                    PropertyName{"modifiersymbol", R"(\p{Sk})"},
                                    PropertyName{"othersymbol", R"(\p{So})"},
                                    PropertyName{"separator", R"(\p{Z})"},
                                    PropertyName{"spaceseparator", R"(\p{Zs})"},
                                    PropertyName{"lineseparator", R"(\p{Zl})"},
                                    PropertyName{"paragraphseparator", R"(\p{Zp})"},
                                    PropertyName{"other", R"(\p{C})"},
                                    PropertyName{"control", R"(\p{Cc})"},
                                    PropertyName{"format", R"(\p{Cf})"},
                                    PropertyName{"privateuse", R"(\p{Co})"},
                                    PropertyName{"unassigned", R"(\p{Cn})"},
                                    PropertyName{"alnum", R"(\p{Alphabetic}\p{Nd})"},
                                    PropertyName{"alpha", R"(\p{Alphabetic})"},
                                    PropertyName{"alphabetic", R"(\p{Alphabetic})"},
                                    PropertyName{"blank", R"(\p{Zs}\x09)"},
                                    PropertyName{"cntrl", R"(\p{Cc})"},
                                    PropertyName{"digit", kDigit},
                                    PropertyName{"lower", R"(\p{Lowercase})"},
                                    PropertyName{"upper", R"(\p{Uppercase})"},
                                    PropertyName{"punct", R"(\p{P}\p{S})"},
                                    PropertyName{"space", kSpace},
                                    PropertyName{"whitespace", kSpace},
                                    PropertyName{"xdigit", kHexDigit},
                                    PropertyName{"word", kWord},
                                    PropertyName{"ascii", R"(\x00-\x7f)"},
                                    PropertyName{"any", R"(\x00-\x{10ffff})"}};

// A set of characters: those of one PCRE2 class, and those that single-character expressions match.
struct Set {
  std::string members;
  std::vector<std::string> expressions;

  void add(const Set& other) {
    members += other.members;
    expressions.insert(expressions.end(), other.expressions.begin(), other.expressions.end());
  }
  std::string expression(bool negated = false) const {
    if (expressions.empty()) {
      if (members.empty()) return negated ? "(?s:.)" : "(?!)";
      return (negated ? "[^" : "[") + members + "]";
    }
    std::string any = members.empty() ? "" : "[" + members + "]";
    for (const std::string& one : expressions) any += (any.empty() ? "" : "|") + one;
    return negated ? "(?:(?!" + any + ")(?s:.))" : "(?:" + any + ")";
  }
};

Set members(std::string_view text) { return {std::string(text), {}}; }
Set complement(const Set& set) { return {"", {set.expression(true)}}; }

std::string hexadecimal(char32_t character) {
  return fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(character));
}

// A character as PCRE2 reads it, inside a class or outside.
std::string literal(char32_t character) {
  if (character < 0x80) {
    const auto c = static_cast<char>(character);
    if (is_ascii_letter(c) || is_digit(c) || c == '_') return {c};
    if (c <= ' ' || c == 0x7F) return hexadecimal(character);
    return {'\\', c};
  }
  std::string text;
  append_character(text, character);
  return text;
}

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : pattern_(pattern), where_(where) {}

  std::string translate() {
    while (!at_end()) piece();
    if (!open_.empty()) refuse("a group is not closed");
    close_options(top_options_);
    return std::move(out_);
  }

 private:
  struct Group {
    std::size_t begin = 0;  // in out_
    int options = 0;        // groups that an option in the middle opened, which end with this one
    bool is_atom = true;
  };

  bool at_end() const { return position_ >= pattern_.size(); }
  char peek(std::size_t ahead = 0) const {
    return position_ + ahead < pattern_.size() ? pattern_[position_ + ahead] : '\0';
  }
  bool take(std::string_view text) {
    if (!pattern_.substr(position_).starts_with(text)) return false;
    position_ += text.size();
    return true;
  }
  char32_t character() {
    if (at_end()) refuse("it ends within something");
    return next_character(pattern_, position_);
  }
  [[noreturn]] void refuse(const char* what) const {
    fail("{}: the regular expression {} is not understood at byte {}: {}", where_, pattern_, position_, what);
  }

  void atom(const std::string& text) {
    atom_ = out_.size();
    out_ += text;
  }
  void close_options(int count) { out_.append(static_cast<std::size_t>(count), ')'); }

  void piece() {
    switch (peek()) {
      case '\\':
        escape();
        break;
      case '[':
        ++position_;
        atom(character_class(0));
        break;
      case '(':
        open_group();
        break;
      case ')': {
        if (open_.empty()) refuse("a bracket closes nothing");
        ++position_;
        close_options(open_.back().options);
        out_ += ')';
        atom_ = open_.back().is_atom ? std::optional(open_.back().begin) : std::nullopt;
        open_.pop_back();
        break;
      }
      case '*':
      case '+':
      case '?':
        out_ += pattern_[position_++];
        if (peek() == '+' || peek() == '?') out_ += pattern_[position_++];
        break;
      case '{':
        if (!interval()) atom(literal(character()));
        break;
      case '.':
      case '^':
      case '$':
        ++position_;
        atom(std::string(1, pattern_[position_ - 1]));
        break;
      case '|':
        ++position_;
        out_ += '|';
        atom_.reset();
        break;
      default:
        // In extended mode spaces and '#' mean something: they stay as they are.
        if (extended_ && (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '#')) {
          out_ += pattern_[position_++];
        } else {
          atom(literal(character()));
        }
    }
  }

  // {n}, {n,}, {,m}, {n,m}; false for a brace that is text.
  bool interval() {
    std::size_t end = position_ + 1;
    std::string low;
    std::string high;
    while (end < pattern_.size() && is_digit(pattern_[end])) low += pattern_[end++];
    const bool comma = end < pattern_.size() && pattern_[end] == ',';
    if (comma) {
      ++end;
      while (end < pattern_.size() && is_digit(pattern_[end])) high += pattern_[end++];
    }
    if (end >= pattern_.size() || pattern_[end] != '}' || (low.empty() && high.empty())) return false;
    position_ = end + 1;
    out_ += "{" + (low.empty() ? "0" : low) + (comma ? "," + high : "") + "}";
    // A sign behind an interval repeats the whole, but for `{n,m}?`, which is lazy.
    const bool repeats = peek() == '+' || (peek() == '?' && !comma);
    if (repeats) {
      if (!atom_) refuse("nothing to repeat");
      out_.insert(*atom_, "(?:");
      out_ += ')';
    } else if (peek() == '?') {
      ++position_;
      out_ += '?';
    }
    return true;
  }

  void open_group() {
    const std::size_t begin = out_.size();
    ++position_;
    open_.push_back({begin, 0, true});
    atom_.reset();
    if (!take("?")) {
      out_ += '(';
      return;
    }
    if (take("#")) {
      while (!at_end() && peek() != ')') ++position_;
      if (!take(")")) refuse("a comment is not closed");
      open_.pop_back();
      return;
    }
    for (const std::string_view plain : {":", "=", "!", ">", "<=", "<!"}) {
      if (take(plain)) {
        out_ += "(?" + std::string(plain);
        return;
      }
    }
    if (peek() == '<' || peek() == '\'') {
      const char close = peek() == '<' ? '>' : '\'';
      out_ += "(?";
      out_ += pattern_[position_++];
      while (!at_end() && peek() != close) out_ += pattern_[position_++];
      if (at_end()) refuse("the name of a group is not closed");
      out_ += pattern_[position_++];
      return;
    }
    options();
  }

  // (?imx-imx) and (?imx-imx: behind "(?".
  void options() {
    std::string text;
    bool on = true;
    for (; !at_end() && peek() != ':' && peek() != ')'; ++position_) {
      switch (peek()) {
        case '-':
          on = false;
          text += '-';
          break;
        case 'i':
          text += 'i';
          break;
        case 'm':  // Oniguruma's m, and what some write for it
        case 's':
          text += 's';
          break;
        case 'x':
          extended_ = on;
          text += 'x';
          break;
        default:
          refuse("this kind of group is not supported");
      }
    }
    out_ += "(?" + text + ":";
    if (take(":")) return;
    if (!take(")")) refuse("a group is not closed");
    // Holds to the end of the group around it.
    open_.pop_back();
    ++(open_.empty() ? top_options_ : open_.back().options);
  }

  void escape() {
    ++position_;
    if (at_end()) refuse("it ends with a backslash");
    static const std::string word = "[" + std::string(kWord) + std::string(kLatin1Word) + "]";
    switch (peek()) {
      case 'b':
        ++position_;
        return atom("(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))");
      case 'B':
        ++position_;
        return atom("(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))");
      case 'w':
        ++position_;
        return atom(word);
      case 'W':
        ++position_;
        return atom("(?:(?!" + word + ")(?s:.))");
      case 'A':
      case 'Z':
      case 'z':
      case 'G':
      case 'K':
      case 'R':
      case 'X':
        ++position_;
        return atom({'\\', pattern_[position_ - 1]});
      case 'k': {
        std::string text = "\\k";
        ++position_;
        while (!at_end() && peek() != '>' && peek() != '\'') text += pattern_[position_++];
        if (at_end()) refuse("a reference is not closed");
        text += pattern_[position_++];
        return atom(text);
      }
      case 'g':
        refuse("calls of groups are not supported");
      default:
        break;
    }
    if (peek() >= '1' && peek() <= '9') {
      std::string text = "\\g{";
      while (is_digit(peek())) text += pattern_[position_++];
      return atom(text + "}");
    }
    if (const std::optional<Set> set = set_escape()) return atom(set->expression());
    atom(literal(character_escape()));
  }

  // \s \w \d \h \p{...} and their complements, the backslash already read; nothing for other escapes.
  std::optional<Set> set_escape() {
    std::optional<Set> set;
    switch (peek()) {
      case 's':
        set = members(kSpace);
        break;
      case 'S':
        set = members(kNotSpace);
        break;
      case 'w':
        set = members(kWord);
        break;
      case 'W':
        set = complement(members(kWord));
        break;
      case 'd':
        set = members(kDigit);
        break;
      case 'D':
        set = members(kNotDigit);
        break;
      case 'h':
        set = members(kHexDigit);
        break;
      case 'H':
        set = members(kNotHexDigit);
        break;
      case 'p':
      case 'P':
        return property();
      default:
        return std::nullopt;
    }
    ++position_;
    return set;
  }

  Set property() {
    bool negated = pattern_[position_++] == 'P';
    if (!take("{")) refuse("a property has no braces");
    if (take("^")) negated = !negated;
    std::string name;
    while (!at_end() && peek() != '}') name += pattern_[position_++];
    if (!take("}")) refuse("a property is not closed");
    return named_set(name, negated);
  }

  Set named_set(const std::string& name, bool negated) const {
    std::string key;
    for (const char c : name) {
      if (c != ' ' && c != '_' && c != '-') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    for (const PropertyName& known : kProperties) {
      if (known.oniguruma == key) return negated ? complement(members(known.members)) : members(known.members);
    }
    // Categories have one or two letters; other names are scripts, which PCRE2 would take for script extensions.
    const bool category = name.size() <= 2 || key.starts_with("emoji");
    return members(fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', category ? "" : "sc:", name));
  }

  // The character of an escape, the backslash already read.
  char32_t character_escape() {
    const char32_t escaped = character();
    switch (escaped) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case 'a':
        return '\a';
      case 'e':
        return 0x1B;
      case 'x':
        if (take("{")) {
          const char32_t code = digits(16, 8);
          if (!take("}")) refuse("the number of a character is not closed");
          return code;
        }
        return digits(16, 2);
      case 'u':
        return digits(16, 4);
      case '0':
        return digits(8, 2);
      default:
        return escaped;
    }
  }

  char32_t digits(unsigned base, int most) {
    std::uint64_t value = 0;
    for (int i = 0; i < most; ++i, ++position_) {
      const char c = peek();
      const unsigned digit = is_digit(c)          ? static_cast<unsigned>(c - '0')
                             : is_ascii_letter(c) ? static_cast<unsigned>((c | 0x20) - 'a' + 10)
                                                  : 99;
      if (digit >= base) break;
      value = value * base + digit;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("no such character");
    return static_cast<char32_t>(value);
  }

  // Behind '['; to the ']' that closes it.
  std::string character_class(int depth) {
    bool negated = false;
    const Set set = class_set(depth, negated);
    return set.expression(negated);
  }

  Set class_set(int depth, bool& negated) {
    constexpr int kDeepest = 20;
    if (depth > kDeepest) refuse("classes nest too deeply");
    negated = take("^");
    Set set;
    std::optional<Set> intersection;
    for (bool first = true;; first = false) {
      if (at_end()) refuse("a class is not closed");
      if (!first && take("]")) break;
      if (take("&&")) {
        intersection = intersection ? intersected(*intersection, set) : set;
        set = {};
        continue;
      }
      class_item(depth, set);
    }
    return intersection ? intersected(*intersection, set) : set;
  }

  static Set intersected(const Set& a, const Set& b) {
    return {"", {"(?:(?=" + a.expression() + ")" + b.expression() + ")"}};
  }

  void class_item(int depth, Set& set) {
    if (take("[:")) {
      const bool negated = take("^");
      std::string name;
      while (!at_end() && peek() != ':') name += pattern_[position_++];
      if (!take(":]")) refuse("a named class is not closed");
      return set.add(named_set(name, negated));
    }
    if (take("[")) {
      bool negated = false;
      const Set inner = class_set(depth + 1, negated);
      return set.add(negated ? complement(inner) : inner);
    }
    char32_t low = 0;
    if (take("\\")) {
      if (const std::optional<Set> known = set_escape()) return set.add(*known);
      low = take("b") ? '\b' : character_escape();
    } else {
      low = character();
    }
    set.members += literal(low);
    // A hyphen that stands before the end, or before a set, is itself.
    if (peek() != '-' || peek(1) == ']' || peek(1) == '[' || at_end()) return;
    const std::size_t hyphen = position_++;
    if (take("\\")) {
      if (const char c = peek(); c == 's' || c == 'S' || c == 'w' || c == 'W' || c == 'd' || c == 'D' || c == 'h' ||
                                 c == 'H' || c == 'p' || c == 'P') {
        position_ = hyphen;
        return;
      }
      const char32_t high = take("b") ? '\b' : character_escape();
      range(low, high, set);
    } else {
      range(low, character(), set);
    }
  }

  void range(char32_t low, char32_t high, Set& set) const {
    if (high < low) refuse("a range of characters is empty");
    set.members += "-" + literal(high);
  }

  std::string_view pattern_;
  const std::string& where_;
  std::size_t position_ = 0;
  std::string out_;
  std::vector<Group> open_;
  std::optional<std::size_t> atom_;  // where in out_ what a quantifier repeats begins
  int top_options_ = 0;
  bool extended_ = false;
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).translate();
}

}  // namespace witan
