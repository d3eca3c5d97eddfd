// A recursive descent over the text of a formula.
#include "mixtures/formula.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"
#include "base/suggest.h"

namespace witan::mixtures {
namespace {

constexpr std::size_t kMaxTerms = 100'000;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Formula parse() {
    Formula formula;
    do {
      formula.targets.push_back(name());
    } while (take('+'));
    expect('~');
    formula.experts = side();
    if (take('|')) {
      formula.has_gate = true;
      // "gate ~" is optional: a name that no ~ follows is a term.
      const std::size_t before = at_;
      skip_blanks();
      if (text_.substr(at_).starts_with("gate")) {
        at_ += 4;
        if (!take('~')) at_ = before;
      }
      formula.gate = side();
    } else {
      formula.gate = formula.experts;
    }
    skip_blanks();
    if (at_ != text_.size()) wrong("nothing more");
    return formula;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) wrong(fmt::format("'{}'", c));
  }
  [[noreturn]] void wrong(const std::string& expected) const {
    const std::string_view rest = text_.substr(std::min(at_, text_.size()), 20);
    fail("formula: at character {} ('{}'): expected {}; a formula reads like y ~ x + x^2 | gate ~ z", at_ + 1, rest,
         expected);
  }

  static bool in_name(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return std::isalnum(byte) != 0 || c == '_' || c == '.' || byte >= 0x80;
  }

  std::string name() {
    skip_blanks();
    if (take('`')) {
      const std::size_t end = text_.find('`', at_);
      if (end == std::string_view::npos || end == at_) wrong("a name and a closing backtick");
      const std::string_view quoted = text_.substr(at_, end - at_);
      at_ = end + 1;
      return std::string(quoted);
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    if (at_ == begin || std::isdigit(static_cast<unsigned char>(text_[begin])) != 0) {
      at_ = begin;
      wrong("the name of a column");
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  double number() {
    skip_blanks();
    double value = 0.0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) wrong("a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  Side side() {
    Side result;
    bool remove = take('-');
    while (true) {
      item(result, remove);
      if (result.terms.size() > kMaxTerms) fail("formula: more than {} terms", kMaxTerms);
      if (take('+')) {
        remove = false;
      } else if (take('-')) {
        remove = true;
      } else {
        break;
      }
    }
    return result;
  }

  void item(Side& result, bool remove) {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '0' || text_[at_] == '1')) {
      const bool one = text_[at_] == '1';
      ++at_;
      if (at_ < text_.size() && in_name(text_[at_])) wrong("0, 1 or the name of a column");
      result.intercept = one != remove;
      return;
    }
    if (remove) wrong("1: only the intercept can be taken away");
    const bool lone_dot =
        at_ < text_.size() && text_[at_] == '.' && (at_ + 1 == text_.size() || !in_name(text_[at_ + 1]));
    if (lone_dot) {
      ++at_;
      result.all_others = true;
      return;
    }
    Term product = term();
    std::vector<Term> crossed = {product};
    while (take('*')) {
      const Term next = term();
      const std::size_t before = crossed.size();
      crossed.push_back(next);
      for (std::size_t i = 0; i < before; ++i) {
        Term both = crossed[i];
        both.factors.insert(both.factors.end(), next.factors.begin(), next.factors.end());
        crossed.push_back(std::move(both));
      }
      if (crossed.size() > kMaxTerms) fail("formula: more than {} terms", kMaxTerms);
    }
    for (Term& one : crossed) {
      const std::string text = term_text(one);
      if (std::none_of(result.terms.begin(), result.terms.end(), [&](const Term& t) { return term_text(t) == text; })) {
        result.terms.push_back(std::move(one));
      }
    }
  }

  Term term() {
    Term result;
    do {
      result.factors.push_back(factor());
    } while (take(':'));
    return result;
  }

  Factor factor() {
    static const std::vector<std::string> functions = {"log", "exp", "sqrt"};
    Factor result;
    result.column = name();
    if (take('(')) {
      if (result.column == "I") {  // R's way to say that ^ is meant as a power
        result = factor();
      } else {
        if (std::find(functions.begin(), functions.end(), result.column) == functions.end()) {
          fail("formula: unknown function '{}'{}", result.column, suggestion(result.column, functions));
        }
        result.function = result.column;
        result.column = name();
      }
      expect(')');
    }
    if (take('^')) result.power *= number();
    return result;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Formula parse_formula(std::string_view text) { return Parser(text).parse(); }

std::string term_text(const Term& term) {
  std::string text;
  for (const Factor& factor : term.factors) {
    if (!text.empty()) text += ":";
    text += factor.function.empty() ? factor.column : factor.function + "(" + factor.column + ")";
    if (factor.power != 1.0) text += fmt::format("^{}", factor.power);
  }
  return text;
}

}  // namespace witan::mixtures
