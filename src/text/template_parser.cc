// Recursive descent, in the order of Jinja's grammar: the tighter an operator binds, the later its function.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include "base/error.h"
#include "text/template_lexer.h"
#include "text/template_syntax.h"

namespace witan {
namespace {

using Kind = TemplateExpression::Kind;
using Lexeme = TemplateToken::Kind;

class TemplateParser {
 public:
  TemplateParser(std::string_view source, const std::string& where)
      : tokens_(lex_template(source, where)), where_(where) {}

  std::vector<TemplateStatement> run() {
    std::vector<TemplateStatement> all = statements({});
    if (peek().kind != Lexeme::kEnd) refuse("\"" + tokens_[position_ + 1].text + "\" closes nothing");
    return all;
  }

 private:
  // Held by every function that recurses.
  class Deeper {
   public:
    explicit Deeper(TemplateParser& parser) : parser_(parser) {
      constexpr int kDeepestNesting = 150;
      if (++parser_.depth_ > kDeepestNesting) parser_.refuse("it nests too deeply");
    }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --parser_.depth_; }

   private:
    TemplateParser& parser_;
  };

  const TemplateToken& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
  }
  [[noreturn]] void refuse(const std::string& what) const { fail("{}: line {}: {}", where_, peek().line, what); }

  bool is(Lexeme kind, std::string_view text) const { return peek().kind == kind && peek().text == text; }
  bool is_name(std::string_view text) const { return is(Lexeme::kName, text); }
  bool is_operator(std::string_view text) const { return is(Lexeme::kOperator, text); }
  bool take_name(std::string_view text) { return is_name(text) && (++position_, true); }
  bool take_operator(std::string_view text) { return is_operator(text) && (++position_, true); }
  void expect_operator(std::string_view text) {
    if (!take_operator(text)) refuse(fmt::format("expected \"{}\"", text));
  }
  std::string name() {
    if (peek().kind != Lexeme::kName) refuse("expected a name");
    return tokens_[position_++].text;
  }
  void end_block() {
    if (peek().kind != Lexeme::kBlockEnd)
      refuse(fmt::format("\"{}\" is not understood before the end of the tag", peek().text));
    ++position_;
  }

  // To a tag that begins with one of `ends`, which is left to the caller.
  std::vector<TemplateStatement> statements(std::initializer_list<std::string_view> ends) {
    const Deeper deeper(*this);
    std::vector<TemplateStatement> result;
    while (peek().kind != Lexeme::kEnd) {
      if (peek().kind == Lexeme::kBlockBegin) {
        const std::string& word = peek(1).text;
        if (std::ranges::find(ends, word) != ends.end()) return result;
        if (word.starts_with("end") || word.starts_with("el")) return result;
      }
      result.push_back(statement());
    }
    return result;
  }
  void close(std::string_view word) {
    if (peek().kind != Lexeme::kBlockBegin || peek(1).text != word) refuse(fmt::format("expected {{% {} %}}", word));
    position_ += 2;
    end_block();
  }

  TemplateStatement make(TemplateStatement::Kind kind) const {
    TemplateStatement result;
    result.kind = kind;
    result.line = peek().line;
    return result;
  }

  TemplateStatement statement() {
    if (peek().kind == Lexeme::kText) {
      TemplateStatement result = make(TemplateStatement::Kind::kText);
      result.text = tokens_[position_++].text;
      return result;
    }
    if (peek().kind == Lexeme::kPrintBegin) {
      TemplateStatement result = make(TemplateStatement::Kind::kPrint);
      ++position_;
      result.first = tuple();
      if (peek().kind != Lexeme::kPrintEnd)
        refuse(fmt::format("\"{}\" is not understood before the end of the tag", peek().text));
      ++position_;
      return result;
    }
    ++position_;
    if (take_name("if")) return if_statement();
    if (take_name("for")) return for_statement();
    if (take_name("set")) return set_statement();
    if (take_name("macro")) return macro_statement();
    if (take_name("with")) return with_statement();
    if (take_name("filter")) return filter_statement();
    if (take_name("generation")) {  // what the assistant said, for training masks: text like any other here
      TemplateStatement result = make(TemplateStatement::Kind::kBlock);
      end_block();
      result.body = statements({"endgeneration"});
      close("endgeneration");
      return result;
    }
    for (const auto& [word, kind] : {std::pair("break", TemplateStatement::Kind::kBreak),
                                     std::pair("continue", TemplateStatement::Kind::kContinue)}) {
      if (!take_name(word)) continue;
      if (loops_ == 0) refuse(fmt::format("{} outside of a loop", word));
      end_block();
      return make(kind);
    }
    refuse(
        fmt::format("the statement \"{}\" is unknown (known: break, continue, filter, for, generation, if, "
                    "macro, set, with)",
                    peek().text));
  }

  TemplateStatement if_statement() {
    const Deeper deeper(*this);
    TemplateStatement result = make(TemplateStatement::Kind::kIf);
    result.first = expression();
    end_block();
    result.body = statements({"elif", "else", "endif"});
    if (peek(1).text == "elif" && peek().kind == Lexeme::kBlockBegin) {
      position_ += 2;
      result.otherwise.push_back(if_statement());
      return result;
    }
    if (peek(1).text == "else" && peek().kind == Lexeme::kBlockBegin) {
      position_ += 2;
      end_block();
      result.otherwise = statements({"endif"});
    }
    close("endif");
    return result;
  }

  std::vector<std::string> targets() {
    std::vector<std::string> names = {name()};
    while (take_operator(",")) names.push_back(name());
    return names;
  }

  TemplateStatement for_statement() {
    TemplateStatement result = make(TemplateStatement::Kind::kFor);
    const bool bracket = take_operator("(");
    result.names = targets();
    if (bracket) expect_operator(")");
    if (!take_name("in")) refuse("expected \"in\"");
    result.first = either();  // an `if` belongs to the loop
    if (take_name("if")) result.second = expression();
    if (is_name("recursive")) refuse("recursive loops are not supported");
    end_block();
    ++loops_;
    result.body = statements({"else", "endfor"});
    --loops_;
    if (peek().kind == Lexeme::kBlockBegin && peek(1).text == "else") {
      position_ += 2;
      end_block();
      result.otherwise = statements({"endfor"});
    }
    close("endfor");
    return result;
  }

  TemplateStatement set_statement() {
    TemplateStatement result = make(TemplateStatement::Kind::kSet);
    result.names = targets();
    if (result.names.size() == 1 && take_operator(".")) result.names[0] += "." + name();
    if (take_operator("=")) {
      result.first = tuple();
      end_block();
      return result;
    }
    end_block();
    result.body = statements({"endset"});
    close("endset");
    return result;
  }

  TemplateStatement macro_statement() {
    TemplateStatement result = make(TemplateStatement::Kind::kMacro);
    result.text = name();
    expect_operator("(");
    while (!take_operator(")")) {
      result.names.push_back(name());
      result.defaults.push_back(take_operator("=") ? expression() : nullptr);
      if (!is_operator(")")) expect_operator(",");
    }
    end_block();
    const int loops = std::exchange(loops_, 0);
    result.body = statements({"endmacro"});
    loops_ = loops;
    close("endmacro");
    return result;
  }

  TemplateStatement with_statement() {
    TemplateStatement result = make(TemplateStatement::Kind::kWith);
    while (peek().kind != Lexeme::kBlockEnd) {
      if (!result.names.empty()) expect_operator(",");
      result.names.push_back(name());
      expect_operator("=");
      result.defaults.push_back(expression());
    }
    end_block();
    result.body = statements({"endwith"});
    close("endwith");
    return result;
  }

  TemplateStatement filter_statement() {
    TemplateStatement result = make(TemplateStatement::Kind::kFilter);
    result.first = filter(make(Kind::kBody));
    while (take_operator("|")) result.first = filter(std::move(result.first));
    end_block();
    const int loops = std::exchange(loops_, 0);
    result.body = statements({"endfilter"});
    loops_ = loops;
    close("endfilter");
    return result;
  }

  TemplateExpressionPtr make(Kind kind, std::string text = "") const {
    auto result = std::make_unique<TemplateExpression>();
    result->kind = kind;
    result->line = peek().line;
    result->text = std::move(text);
    return result;
  }
  // Trees are walked and destroyed by recursion, so long chains are as bad as deep nesting.
  void give(TemplateExpression& parent, TemplateExpressionPtr child) const {
    constexpr int kHighest = 400;
    if (child) parent.height = std::max(parent.height, child->height + 1);
    if (parent.height > kHighest) refuse("an expression is too long");
    parent.children.push_back(std::move(child));
  }
  void give_named(TemplateExpression& parent, std::string key, TemplateExpressionPtr value) const {
    parent.height = std::max(parent.height, value->height + 1);
    parent.named.emplace_back(std::move(key), std::move(value));
  }
  TemplateExpressionPtr binary(std::string sign, TemplateExpressionPtr left, TemplateExpressionPtr right) const {
    TemplateExpressionPtr result = make(Kind::kBinary, std::move(sign));
    give(*result, std::move(left));
    give(*result, std::move(right));
    return result;
  }

  // a, b
  TemplateExpressionPtr tuple() {
    TemplateExpressionPtr first = expression();
    if (!is_operator(",")) return first;
    TemplateExpressionPtr result = make(Kind::kTuple);
    give(*result, std::move(first));
    while (take_operator(",") && peek().kind != Lexeme::kBlockEnd && peek().kind != Lexeme::kPrintEnd &&
           !is_operator(")")) {
      give(*result, expression());
    }
    return result;
  }

  TemplateExpressionPtr expression() {
    const Deeper deeper(*this);
    TemplateExpressionPtr value = either();
    while (take_name("if")) {
      TemplateExpressionPtr choice = make(Kind::kChoice);
      give(*choice, std::move(value));
      give(*choice, either());
      give(*choice, take_name("else") ? expression() : nullptr);
      value = std::move(choice);
    }
    return value;
  }

  TemplateExpressionPtr either() {
    TemplateExpressionPtr left = both();
    while (take_name("or")) left = binary("or", std::move(left), both());
    return left;
  }
  TemplateExpressionPtr both() {
    TemplateExpressionPtr left = negation();
    while (take_name("and")) left = binary("and", std::move(left), negation());
    return left;
  }
  TemplateExpressionPtr negation() {
    const Deeper deeper(*this);
    if (!take_name("not")) return comparison();
    TemplateExpressionPtr result = make(Kind::kNot);
    give(*result, negation());
    return result;
  }
  TemplateExpressionPtr comparison() {
    TemplateExpressionPtr first = sum();
    std::string sign = comparison_sign();
    if (sign.empty()) return first;
    TemplateExpressionPtr result = make(Kind::kCompare);
    give(*result, std::move(first));
    for (; !sign.empty(); sign = comparison_sign()) give_named(*result, std::move(sign), sum());
    return result;
  }
  // Taken, if one is next; else empty.
  std::string comparison_sign() {
    constexpr std::array<std::string_view, 6> kSigns = {"==", "!=", "<", ">", "<=", ">="};
    if (peek().kind == Lexeme::kOperator && std::ranges::find(kSigns, peek().text) != kSigns.end()) {
      return tokens_[position_++].text;
    }
    if (take_name("in")) return "in";
    if (!is_name("not") || peek(1).kind != Lexeme::kName || peek(1).text != "in") return "";
    position_ += 2;
    return "not in";
  }
  template <class Next>
  TemplateExpressionPtr chain(std::initializer_list<std::string_view> signs, const Next& next) {
    TemplateExpressionPtr left = next();
    while (peek().kind == Lexeme::kOperator && std::ranges::find(signs, peek().text) != signs.end()) {
      std::string sign = tokens_[position_++].text;
      left = binary(std::move(sign), std::move(left), next());
    }
    return left;
  }
  TemplateExpressionPtr sum() {
    return chain({"+", "-"}, [this] { return concatenation(); });
  }
  TemplateExpressionPtr concatenation() {
    return chain({"~"}, [this] { return product(); });
  }
  TemplateExpressionPtr product() {
    return chain({"*", "/", "//", "%"}, [this] { return power(); });
  }
  TemplateExpressionPtr power() {
    return chain({"**"}, [this] { return unary(true); });
  }
  TemplateExpressionPtr unary(bool with_filters) {
    const Deeper deeper(*this);
    TemplateExpressionPtr value;
    if (take_operator("-")) {
      value = make(Kind::kNegative);
      give(*value, unary(false));
    } else if (take_operator("+")) {
      value = unary(false);
    } else {
      value = postfix(primary());
    }
    return with_filters ? filters(std::move(value)) : std::move(value);
  }

  TemplateExpressionPtr postfix(TemplateExpressionPtr value) {
    for (;;) {
      TemplateExpressionPtr outer;
      if (take_operator(".")) {
        outer = make(Kind::kAttribute, peek().kind == Lexeme::kInteger ? "" : peek().text);
        give(*outer, std::move(value));
        if (peek().kind == Lexeme::kInteger) {
          outer->kind = Kind::kItem;
          give(*outer, primary());
        } else {
          name();
        }
      } else if (take_operator("[")) {
        outer = subscript(std::move(value));
      } else if (is_operator("(")) {
        outer = make(Kind::kCall);
        give(*outer, std::move(value));
        arguments(*outer);
      } else {
        return value;
      }
      value = std::move(outer);
    }
  }

  TemplateExpressionPtr subscript(TemplateExpressionPtr value) {
    TemplateExpressionPtr result = make(Kind::kItem);
    give(*result, std::move(value));
    TemplateExpressionPtr index = is_operator(":") ? nullptr : expression();
    give(*result, std::move(index));
    if (is_operator(":")) {
      result->kind = Kind::kSlice;
      for (int part = 0; part < 2; ++part) {
        const bool there = take_operator(":") && !is_operator(":") && !is_operator("]");
        give(*result, there ? expression() : nullptr);
      }
    }
    expect_operator("]");
    return result;
  }

  void arguments(TemplateExpression& call) {
    expect_operator("(");
    while (!take_operator(")")) {
      if (peek().kind == Lexeme::kName && peek(1).kind == Lexeme::kOperator && peek(1).text == "=") {
        std::string key = name();
        ++position_;
        give_named(call, std::move(key), expression());
      } else {
        if (!call.named.empty()) refuse("an argument without a name after one with a name");
        give(call, expression());
      }
      if (!is_operator(")")) expect_operator(",");
    }
  }

  // Of a test, without brackets around it. Names that go on with the expression are none.
  bool begins_argument() const {
    constexpr std::array<std::string_view, 6> kWords = {"and", "or", "else", "if", "in", "not"};
    const TemplateToken& next = peek();
    if (next.kind == Lexeme::kName) {
      if (next.text == "is") refuse("a test of a test");
      return std::ranges::find(kWords, next.text) == kWords.end();
    }
    return next.kind == Lexeme::kString || next.kind == Lexeme::kInteger || next.kind == Lexeme::kFloat ||
           is_operator("[") || is_operator("{");
  }

  // "name(arguments)", of `value`.
  TemplateExpressionPtr filter(TemplateExpressionPtr value) {
    TemplateExpressionPtr result = make(Kind::kFilter, name());
    give(*result, std::move(value));
    if (is_operator("(")) arguments(*result);
    return result;
  }

  TemplateExpressionPtr filters(TemplateExpressionPtr value) {
    for (;;) {
      TemplateExpressionPtr outer;
      if (take_operator("|")) {
        outer = filter(std::move(value));
      } else if (take_name("is")) {
        const bool negated = take_name("not");
        outer = make(Kind::kTest, name());
        outer->negated = negated;
        give(*outer, std::move(value));
        if (is_operator("(")) {
          arguments(*outer);
        } else if (begins_argument()) {
          give(*outer, postfix(primary()));
        }
      } else {
        return value;
      }
      value = std::move(outer);
    }
  }

  // "12", "0x1f", "0o7", "0b1".
  std::int64_t integer_of(std::string_view text) const {
    int base = 10;
    if (text.size() > 2 && text[0] == '0' && !is_digit(text[1])) {
      const char letter = static_cast<char>(text[1] | 0x20);
      base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
      text.remove_prefix(2);
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end != text.data() + text.size()) refuse("a number is too large");
    return number;
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  TemplateExpressionPtr literal(TemplateValue value) {
    TemplateExpressionPtr result = make(Kind::kLiteral);
    result->value = std::move(value);
    ++position_;
    return result;
  }

  TemplateExpressionPtr primary() {
    const TemplateToken& token = peek();
    if (token.kind == Lexeme::kString) {
      std::string text = token.text;
      while (peek(1).kind == Lexeme::kString) text += tokens_[++position_].text;
      return literal(std::move(text));
    }
    if (token.kind == Lexeme::kInteger) {
      return literal(integer_of(token.text));
    }
    if (token.kind == Lexeme::kFloat) {
      double number = 0.0;
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
      return literal(number);
    }
    if (token.kind == Lexeme::kName) {
      if (token.text == "true" || token.text == "True") return literal(true);
      if (token.text == "false" || token.text == "False") return literal(false);
      if (token.text == "none" || token.text == "None") return literal(TemplateValue::none());
      TemplateExpressionPtr result = make(Kind::kName);
      result->text = name();
      return result;
    }
    if (take_operator("(")) {
      TemplateExpressionPtr result = is_operator(")") ? make(Kind::kTuple) : tuple();
      expect_operator(")");
      return result;
    }
    if (take_operator("[")) {
      TemplateExpressionPtr result = make(Kind::kList);
      while (!take_operator("]")) {
        give(*result, expression());
        if (!is_operator("]")) expect_operator(",");
      }
      return result;
    }
    if (take_operator("{")) {
      TemplateExpressionPtr result = make(Kind::kDict);
      while (!take_operator("}")) {
        give(*result, expression());
        expect_operator(":");
        give(*result, expression());
        if (!is_operator("}")) expect_operator(",");
      }
      return result;
    }
    refuse(token.text.empty() ? "an expression is missing" : fmt::format("\"{}\" is not understood here", token.text));
  }

  std::vector<TemplateToken> tokens_;
  const std::string& where_;
  std::size_t position_ = 0;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

std::vector<TemplateStatement> parse_template(std::string_view source, const std::string& where) {
  return TemplateParser(source, where).run();
}

}  // namespace witan
