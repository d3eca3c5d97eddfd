// Statements print into one text; expressions are values. Scopes as Jinja has them: a loop and a macro have their own,
// an `if` has not.
#include "text/template_evaluator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <optional>
#include <vector>

#include "base/error.h"
#include "text/template_budget.h"
#include "text/template_builtins.h"
#include "text/unicode.h"

namespace witan {
namespace {

using Expression = TemplateExpression;
using Statement = TemplateStatement;

class TemplateEvaluator {
 public:
  TemplateEvaluator(const TemplateValue& variables, const std::string& where) : where_(where) {
    scopes_.push_back(*variables.fields());
    const auto define = [this](const char* name, TemplateFunction function) {
      scopes_.front().emplace_back(name, TemplateValue::function(std::move(function)));
    };
    define("raise_exception", [this](const TemplateArguments& arguments) -> TemplateValue {
      fail("{}", arguments.positional.empty() ? "the template refuses these messages"
                                              : printed(arguments.positional[0], budget_));
    });
    define("namespace", [this](const TemplateArguments& arguments) {
      TemplateDict fields = arguments.positional.empty() || arguments.positional[0].fields() == nullptr
                                ? TemplateDict()
                                : *arguments.positional[0].fields();
      budget_.visit(fields.size());
      for (const auto& [name, value] : arguments.named) fields.emplace_back(name, value);
      TemplateValue result = TemplateValue::dict(std::move(fields));
      result.is_namespace = true;
      if (result.holds_namespace) refuse_namespace();
      return result;
    });
    define("dict", [](const TemplateArguments& arguments) {
      return TemplateValue::dict(TemplateDict(arguments.named.begin(), arguments.named.end()));
    });
    define("range", [this](const TemplateArguments& arguments) { return range(arguments); });
    define("strftime_now", [](const TemplateArguments& arguments) -> TemplateValue {
      if (arguments.positional.empty() || arguments.positional[0].text() == nullptr)
        fail("strftime_now wants a format");
      const std::time_t now = std::time(nullptr);
      std::tm parts{};
      localtime_r(&now, &parts);
      std::array<char, 512> buffer{};
      const std::size_t length =
          std::strftime(buffer.data(), buffer.size(), arguments.positional[0].text()->c_str(), &parts);
      return std::string(buffer.data(), length);
    });
  }

  std::string run(const std::vector<Statement>& statements) {
    try {
      execute(statements);
    } catch (const Error& error) {
      fail("{}: line {}: {}", where_, line_, error.what());
    }
    return std::move(out_);
  }

 private:
  enum class Flow { kOn, kBreak, kContinue };

  // Held by what recurses.
  class Level {
   public:
    explicit Level(TemplateEvaluator& owner) : owner_(owner) {
      constexpr int kDeepestLevel = 1500;
      if (++owner_.depth_ > kDeepestLevel) {
        --owner_.depth_;
        fail("it calls itself too deeply");
      }
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --owner_.depth_; }

   private:
    TemplateEvaluator& owner_;
  };

  void print(const std::string& text) {
    budget_.charge(text.size());
    out_ += text;
  }

  Flow execute(const std::vector<Statement>& statements) {
    const Level level(*this);
    for (const Statement& statement : statements) {
      budget_.step();
      line_ = statement.line;
      const Flow flow = execute(statement);
      if (flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Flow execute(const Statement& statement) {
    switch (statement.kind) {
      case Statement::Kind::kText:
        print(statement.text);
        return Flow::kOn;
      case Statement::Kind::kPrint:
        print(printed(evaluate(*statement.first), budget_));
        return Flow::kOn;
      case Statement::Kind::kIf:
        return execute(evaluate(*statement.first).truth() ? statement.body : statement.otherwise);
      case Statement::Kind::kFor:
        loop(statement);
        return Flow::kOn;
      case Statement::Kind::kSet:
        set(statement);
        return Flow::kOn;
      case Statement::Kind::kMacro:
        assign(statement.text, TemplateValue::function([this, &statement](const TemplateArguments& given) {
                 return call(statement, given);
               }));
        return Flow::kOn;
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
      case Statement::Kind::kBlock:
        return execute(statement.body);
      case Statement::Kind::kWith:
        return with(statement);
      case Statement::Kind::kFilter:
        filter(statement);
        return Flow::kOn;
    }
    return Flow::kOn;
  }

  const TemplateValue* find(const std::string& name) const {
    for (std::size_t i = scopes_.size(); i-- > 0;) {
      const bool seen = i == 0 || i >= first_scope_;  // a macro does not see its caller's loops
      if (!seen) continue;
      for (auto entry = scopes_[i].rbegin(); entry != scopes_[i].rend(); ++entry) {
        if (entry->first == name) return &entry->second;
      }
    }
    return nullptr;
  }

  static void put(TemplateDict& fields, const std::string& name, TemplateValue value) {
    for (auto& [known, place] : fields) {
      if (known == name) {
        place = std::move(value);
        return;
      }
    }
    fields.emplace_back(name, std::move(value));
  }
  void assign(const std::string& name, TemplateValue value) { put(scopes_.back(), name, std::move(value)); }

  void bind(const std::vector<std::string>& names, const TemplateValue& value) {
    if (names.size() == 1) return assign(names[0], value);
    const TemplateList parts = template_items(value, budget_);
    if (parts.size() != names.size()) fail("{} values for {} names", parts.size(), names.size());
    for (std::size_t i = 0; i < names.size(); ++i) assign(names[i], parts[i]);
  }

  void set(const Statement& statement) {
    TemplateValue value = statement.first ? evaluate(*statement.first) : TemplateValue(captured(statement.body));
    const std::size_t dot = statement.names[0].find('.');
    if (dot == std::string::npos) return bind(statement.names, value);
    const std::string name = statement.names[0].substr(0, dot);
    const std::string field = statement.names[0].substr(dot + 1);
    const TemplateValue* space = find(name);
    if (space == nullptr || !space->is_namespace) fail("{} is no namespace, so {}.{} cannot be set", name, name, field);
    if (value.is_namespace || value.holds_namespace) refuse_namespace();
    put(*std::get<std::shared_ptr<TemplateDict>>(space->data), field, std::move(value));
  }

  // It could come to hold itself.
  [[noreturn]] static void refuse_namespace() { fail("a namespace cannot hold a namespace"); }

  std::string captured(const std::vector<Statement>& body) {
    std::string outer = std::exchange(out_, {});
    execute(body);
    return std::exchange(out_, std::move(outer));
  }

  Flow with(const Statement& statement) {
    TemplateDict values;
    for (std::size_t i = 0; i < statement.names.size(); ++i) {
      put(values, statement.names[i], evaluate(*statement.defaults[i]));
    }
    scopes_.push_back(std::move(values));
    const Flow flow = execute(statement.body);
    scopes_.pop_back();
    return flow;
  }

  void filter(const Statement& statement) {
    scopes_.emplace_back();
    std::string text = captured(statement.body);
    scopes_.pop_back();
    std::string outer = std::exchange(body_, std::move(text));
    print(printed(evaluate(*statement.first), budget_));
    body_ = std::move(outer);
  }

  TemplateValue call(const Statement& macro, const TemplateArguments& given) {
    const Level level(*this);
    const int line = line_;
    if (given.positional.size() > macro.names.size())
      fail("the macro {} takes {} arguments", macro.text, macro.names.size());
    TemplateDict arguments;
    for (std::size_t i = 0; i < macro.names.size(); ++i) {
      TemplateValue value;
      const auto named =
          std::ranges::find_if(given.named, [&](const auto& entry) { return entry.first == macro.names[i]; });
      if (i < given.positional.size()) {
        value = given.positional[i];
      } else if (named != given.named.end()) {
        value = named->second;
      } else if (macro.defaults[i]) {
        value = evaluate(*macro.defaults[i]);
      }
      arguments.emplace_back(macro.names[i], std::move(value));
    }
    const std::size_t outer_first = std::exchange(first_scope_, scopes_.size());
    scopes_.push_back(std::move(arguments));
    std::string text = captured(macro.body);
    scopes_.pop_back();
    first_scope_ = outer_first;
    line_ = line;
    return text;
  }

  static TemplateValue index(std::size_t value) { return static_cast<std::int64_t>(value); }

  void loop(const Statement& statement) {
    const TemplateValue over = evaluate(*statement.first);
    TemplateList items = template_items(over, budget_);
    scopes_.emplace_back();
    if (statement.second) {
      TemplateList kept;
      for (const TemplateValue& item : items) {
        budget_.step();
        bind(statement.names, item);
        if (evaluate(*statement.second).truth()) kept.push_back(item);
      }
      items = std::move(kept);
    }
    const std::size_t count = items.size();
    for (std::size_t i = 0; i < count; ++i) {
      budget_.step(10);  // what `loop` is made of
      scopes_.back().clear();
      const TemplateValue cycle = TemplateValue::function([i](const TemplateArguments& given) -> TemplateValue {
        if (given.positional.empty()) fail("loop.cycle needs values");
        return given.positional[i % given.positional.size()];
      });
      assign("loop", TemplateValue::dict({{"index", index(i + 1)},
                                          {"index0", index(i)},
                                          {"revindex", index(count - i)},
                                          {"revindex0", index(count - i - 1)},
                                          {"first", i == 0},
                                          {"last", i + 1 == count},
                                          {"length", index(count)},
                                          {"previtem", i > 0 ? items[i - 1] : TemplateValue()},
                                          {"nextitem", i + 1 < count ? items[i + 1] : TemplateValue()},
                                          {"cycle", cycle}}));
      bind(statement.names, items[i]);
      if (execute(statement.body) == Flow::kBreak) break;
    }
    scopes_.pop_back();
    if (count == 0) execute(statement.otherwise);
  }

  TemplateArguments arguments_of(const Expression& expression) {
    TemplateArguments arguments;
    for (std::size_t i = 1; i < expression.children.size(); ++i)
      arguments.positional.push_back(evaluate(*expression.children[i]));
    for (const auto& [name, value] : expression.named) arguments.named.emplace_back(name, evaluate(*value));
    return arguments;
  }

  TemplateValue evaluate(const Expression& expression) {
    const Level level(*this);
    budget_.step();
    TemplateValue value = value_of(expression);
    if (const std::string* text = value.text()) budget_.charge(text->size());
    return value;
  }

  TemplateValue value_of(const Expression& expression) {
    const auto child = [&](std::size_t i) { return evaluate(*expression.children[i]); };
    switch (expression.kind) {
      case Expression::Kind::kLiteral:
        return expression.value;
      case Expression::Kind::kName: {
        const TemplateValue* found = find(expression.text);
        return found == nullptr ? TemplateValue() : *found;
      }
      case Expression::Kind::kList:
      case Expression::Kind::kTuple: {
        TemplateList items;
        for (std::size_t i = 0; i < expression.children.size(); ++i) items.push_back(child(i));
        const bool is_tuple = expression.kind == Expression::Kind::kTuple;
        return TemplateValue::list(std::move(items), is_tuple ? TemplateSequence::kTuple : TemplateSequence::kList);
      }
      case Expression::Kind::kDict: {
        TemplateDict fields;
        for (std::size_t i = 0; i + 1 < expression.children.size(); i += 2)
          fields.emplace_back(printed(child(i), budget_), child(i + 1));
        return TemplateValue::dict(std::move(fields));
      }
      case Expression::Kind::kAttribute:
        return attribute(child(0), expression);
      case Expression::Kind::kItem:
        return item(child(0), child(1), expression);
      case Expression::Kind::kSlice:
        return slice(expression);
      case Expression::Kind::kCall:
        return call_expression(expression);
      case Expression::Kind::kFilter:
        line_ = expression.line;
        return apply_filter(expression.text, child(0), arguments_of(expression), budget_);
      case Expression::Kind::kTest:
        return test(expression);
      case Expression::Kind::kNot:
        return !child(0).truth();
      case Expression::Kind::kNegative: {
        const TemplateValue value = child(0);
        if (!value.is_number()) fail("minus {}", value.type_name());
        if (value.get<double>() != nullptr) return -value.number();
        return arithmetic("-", TemplateValue(std::int64_t{0}), value);
      }
      case Expression::Kind::kBinary:
        return binary(expression);
      case Expression::Kind::kCompare:
        return comparison(expression);
      case Expression::Kind::kBody:
        return body_;
      case Expression::Kind::kChoice:
        if (child(1).truth()) return child(0);
        return expression.children[2] ? child(2) : TemplateValue();
    }
    return {};
  }

  TemplateValue attribute(const TemplateValue& value, const Expression& expression) {
    if (value.is_undefined()) {
      line_ = expression.line;
      fail("\"{}\" of something undefined", expression.text);
    }
    const TemplateValue* field = value.field(expression.text, budget_);
    return field == nullptr ? TemplateValue() : *field;
  }

  TemplateValue item(const TemplateValue& value, const TemplateValue& key, const Expression& expression) {
    if (value.is_undefined()) {
      line_ = expression.line;
      fail("an item of something undefined");
    }
    if (key.text() != nullptr) {
      const TemplateValue* field = value.field(*key.text(), budget_);
      return field == nullptr ? TemplateValue() : *field;
    }
    if (!key.is_integer() || (!value.has_places() && value.text() == nullptr)) return {};
    const auto size = static_cast<std::int64_t>(template_length(value));
    const std::int64_t at = key.integer() < 0 ? key.integer() + size : key.integer();
    if (at < 0 || at >= size) return {};
    if (value.items() != nullptr) return (*value.items())[static_cast<std::size_t>(at)];
    return template_character(*value.text(), static_cast<std::size_t>(at));
  }

  TemplateValue test(const Expression& expression) {
    const TemplateValue value = evaluate(*expression.children[0]);
    const TemplateArguments arguments = arguments_of(expression);
    return apply_test(expression.text, value, arguments, budget_) != expression.negated;
  }

  // Where each character of a text begins, and where the last one ends.
  std::vector<std::size_t> character_places(const std::string& text) {
    budget_.charge(text.size() * sizeof(std::size_t));
    std::vector<std::size_t> places = {0};
    for (std::size_t position = 0; position < text.size();) {
      next_character(text, position);
      places.push_back(position);
    }
    return places;
  }

  TemplateValue slice(const Expression& expression) {
    const TemplateValue value = evaluate(*expression.children[0]);
    std::array<std::optional<std::int64_t>, 3> bounds;
    for (std::size_t i = 0; i < 3; ++i) {
      if (!expression.children[i + 1]) continue;
      const TemplateValue bound = evaluate(*expression.children[i + 1]);
      if (bound.is_none()) continue;
      if (!bound.is_integer()) fail("a slice by {}", bound.type_name());
      bounds[i] = std::clamp<std::int64_t>(bound.integer(), -(std::int64_t{1} << 40), std::int64_t{1} << 40);
    }
    const std::string* const whole = value.text();
    const std::vector<std::size_t> places = whole != nullptr ? character_places(*whole) : std::vector<std::size_t>();
    const TemplateList items = whole != nullptr ? TemplateList() : template_items(value, budget_);
    const auto size = static_cast<std::int64_t>(whole != nullptr ? places.size() - 1 : items.size());
    const std::int64_t step = bounds[2].value_or(1);
    if (step == 0) fail("a slice with step 0");
    // Python's: negative bounds count from the end; then what is outside is cut off.
    const auto place = [&](const std::optional<std::int64_t>& bound, std::int64_t otherwise) {
      if (!bound) return otherwise;
      const std::int64_t at = *bound < 0 ? *bound + size : *bound;
      return step > 0 ? std::clamp<std::int64_t>(at, 0, size) : std::clamp<std::int64_t>(at, -1, size - 1);
    };
    const std::int64_t begin = place(bounds[0], step > 0 ? 0 : size - 1);
    const std::int64_t end = place(bounds[1], step > 0 ? size : -1);
    TemplateList kept;
    std::string text;
    for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
      const auto at = static_cast<std::size_t>(i);
      if (whole != nullptr) {
        text.append(*whole, places[at], places[at + 1] - places[at]);
      } else {
        kept.push_back(items[at]);
      }
    }
    if (whole != nullptr) return text;
    const bool is_tuple = value.items() != nullptr && value.sequence == TemplateSequence::kTuple;
    return TemplateValue::list(std::move(kept), is_tuple ? TemplateSequence::kTuple : TemplateSequence::kList);
  }

  TemplateValue call_expression(const Expression& expression) {
    const Expression& callee = *expression.children[0];
    if (callee.kind == Expression::Kind::kAttribute) {
      const TemplateValue value = evaluate(*callee.children[0]);
      if (has_method(value, callee.text)) {
        TemplateArguments arguments = arguments_of(expression);
        line_ = expression.line;
        return call_method(value, callee.text, arguments, budget_);
      }
      const TemplateValue field = attribute(value, callee);
      if (field.callable() == nullptr) fail("{} has no method {}", value.type_name(), callee.text);
      return (*field.callable())(arguments_of(expression));
    }
    const TemplateValue function = evaluate(callee);
    if (function.callable() == nullptr)
      fail("{} is {}, no function", callee.text.empty() ? "a value" : callee.text, function.type_name());
    TemplateArguments arguments = arguments_of(expression);
    line_ = expression.line;
    return (*function.callable())(arguments);
  }

  TemplateValue range(const TemplateArguments& arguments) {
    std::array<std::int64_t, 3> bounds = {0, 0, 1};
    const std::size_t count = arguments.positional.size();
    if (count < 1 || count > 3) fail("range takes one to three numbers");
    for (std::size_t i = 0; i < count; ++i) {
      if (!arguments.positional[i].is_integer()) fail("range of {}", arguments.positional[i].type_name());
      bounds[count == 1 ? 1 : i] = arguments.positional[i].integer();
    }
    constexpr std::int64_t kMost = 100'000;
    const auto [begin, end, step] = bounds;
    if (step == 0 || std::max(std::abs(begin / 2), std::abs(end / 2)) > kMost * 1000) fail("range: out of bounds");
    if ((end - begin) / step > kMost) fail("range: more than {} numbers", kMost);
    TemplateList items;
    for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) items.emplace_back(i);
    budget_.visit(items.size());
    return TemplateValue::list(std::move(items));
  }

  bool holds(const TemplateValue& left, const std::string& sign, const TemplateValue& right) {
    if (sign == "==") return equal(left, right, budget_);
    if (sign == "!=") return !equal(left, right, budget_);
    if (sign == "in") return template_contains(right, left, budget_);
    if (sign == "not in") return !template_contains(right, left, budget_);
    const int order = compare(left, right, budget_);
    return sign == "<" ? order < 0 : sign == "<=" ? order <= 0 : sign == ">" ? order > 0 : order >= 0;
  }

  TemplateValue comparison(const Expression& expression) {
    TemplateValue left = evaluate(*expression.children[0]);
    for (const auto& [sign, operand] : expression.named) {
      TemplateValue right = evaluate(*operand);
      line_ = expression.line;
      if (!holds(left, sign, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  TemplateValue binary(const Expression& expression) {
    const std::string& sign = expression.text;
    const TemplateValue left = evaluate(*expression.children[0]);
    if (sign == "and") return left.truth() ? evaluate(*expression.children[1]) : left;
    if (sign == "or") return left.truth() ? left : evaluate(*expression.children[1]);
    const TemplateValue right = evaluate(*expression.children[1]);
    line_ = expression.line;
    if (sign == "~") return joined_text(printed(left, budget_), printed(right, budget_));
    if (sign == "+") {
      if (left.text() != nullptr && right.text() != nullptr) return joined_text(*left.text(), *right.text());
      if (left.items() != nullptr && right.items() != nullptr && left.sequence == right.sequence) {
        budget_.visit(left.items()->size() + right.items()->size());
        TemplateList items = *left.items();
        items.insert(items.end(), right.items()->begin(), right.items()->end());
        return TemplateValue::list(std::move(items), left.sequence);
      }
    }
    if (sign == "%" && left.text() != nullptr) return formatted(*left.text(), right, budget_);
    if (sign == "*" && left.text() != nullptr && right.is_integer()) {
      std::string text;
      std::size_t bytes = 0;
      const auto count = static_cast<std::size_t>(std::max<std::int64_t>(0, right.integer()));
      if (__builtin_mul_overflow(left.text()->size(), count, &bytes)) bytes = SIZE_MAX;
      budget_.charge(bytes);
      text.reserve(bytes);
      if (bytes > 0) text = *left.text();
      while (text.size() < bytes) text.append(text, 0, bytes - text.size());
      return text;
    }
    if (!left.is_number() || !right.is_number()) fail("{} {} {}", left.type_name(), sign, right.type_name());
    return arithmetic(sign, left, right);
  }

  std::string joined_text(const std::string& left, const std::string& right) {
    budget_.charge(left.size() + right.size());
    return left + right;
  }

  static std::int64_t power(std::int64_t base, std::int64_t exponent) {
    if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
    std::int64_t result = 1;
    for (; exponent > 0; --exponent) {
      if (__builtin_mul_overflow(result, base, &result)) fail("the result of ** is too large");
    }
    return result;
  }

  static TemplateValue arithmetic(const std::string& sign, const TemplateValue& left, const TemplateValue& right) {
    const bool whole = left.get<double>() == nullptr && right.get<double>() == nullptr;
    if (whole && sign == "**" && right.integer() >= 0) return power(left.integer(), right.integer());
    if (whole && sign != "/" && sign != "**") {
      const std::int64_t a = left.integer();
      const std::int64_t b = right.integer();
      std::int64_t result = 0;
      if (sign == "+" && !__builtin_add_overflow(a, b, &result)) return result;
      if (sign == "-" && !__builtin_sub_overflow(a, b, &result)) return result;
      if (sign == "*" && !__builtin_mul_overflow(a, b, &result)) return result;
      if (sign == "//" || sign == "%") {
        if (b == 0) fail("division by zero");
        if (b == -1) return sign == "%" || a == INT64_MIN ? std::int64_t{0} : -a;
        const bool down = a % b != 0 && (a < 0) != (b < 0);  // towards minus infinity
        return sign == "//" ? a / b - (down ? 1 : 0) : a % b + (down ? b : 0);
      }
      fail("the result of {} is too large", sign);
    }
    const double a = left.number();
    const double b = right.number();
    if (sign == "+") return a + b;
    if (sign == "-") return a - b;
    if (sign == "*") return a * b;
    if (sign == "**") return std::pow(a, b);
    if (b == 0.0) fail("division by zero");
    if (sign == "/") return a / b;
    return sign == "//" ? std::floor(a / b) : a - b * std::floor(a / b);
  }

  const std::string& where_;
  std::vector<TemplateDict> scopes_;
  std::size_t first_scope_ = 0;  // of the macro that runs; scope 0 is seen from everywhere
  TemplateBudget budget_;
  std::string out_;
  std::string body_;  // of the statement `filter` that runs
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace

std::string evaluate_template(const std::vector<TemplateStatement>& statements, const TemplateValue& variables,
                              const std::string& where) {
  return TemplateEvaluator(variables, where).run(statements);
}

}  // namespace witan
