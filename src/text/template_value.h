// The values that chat templates compute with: Python's, as far as Jinja shows them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace witan {

class TemplateBudget;
struct TemplateValue;

using TemplateList = std::vector<TemplateValue>;
using TemplateDict = std::vector<std::pair<std::string, TemplateValue>>;  // in order of insertion

struct TemplateArguments {
  std::vector<TemplateValue> positional;
  std::vector<std::pair<std::string, TemplateValue>> named;
};
using TemplateFunction = std::function<TemplateValue(const TemplateArguments&)>;

// What a list of values is to Python: they print and compare differently.
enum class TemplateSequence : std::uint8_t { kList, kTuple, kKeys, kValues, kItems };

struct TemplateUndefined {};
struct TemplateNone {};

struct TemplateValue {
  using Text = std::shared_ptr<const std::string>;  // shared, so that copies of a value take no memory
  std::variant<TemplateUndefined, TemplateNone, bool, std::int64_t, double, Text, std::shared_ptr<TemplateList>,
               std::shared_ptr<TemplateDict>, std::shared_ptr<TemplateFunction>>
      data;
  bool is_namespace = false;  // a dict whose fields `set` may change
  bool holds_namespace = false;
  TemplateSequence sequence = TemplateSequence::kList;
  std::uint8_t depth = 0;  // of lists in lists

  TemplateValue() = default;
  TemplateValue(bool value) : data(value) {}          // NOLINT(google-explicit-constructor): as JSON has it
  TemplateValue(std::int64_t value) : data(value) {}  // NOLINT(google-explicit-constructor)
  TemplateValue(double value) : data(value) {}        // NOLINT(google-explicit-constructor)
  TemplateValue(std::string value);                   // NOLINT(google-explicit-constructor)
  TemplateValue(const char*) = delete;
  static TemplateValue none();
  // Values that nest too deep to be walked, printed or destroyed by recursion are refused: list, dict and from_json
  // throw Error.
  static TemplateValue list(TemplateList items, TemplateSequence sequence = TemplateSequence::kList);
  static TemplateValue dict(TemplateDict fields);
  static TemplateValue function(TemplateFunction function);
  static TemplateValue from_json(const nlohmann::ordered_json& json);

  template <class Kind>
  const Kind* get() const {
    return std::get_if<Kind>(&data);
  }
  const std::string* text() const;     // null: no text
  const TemplateList* items() const;   // null: no list
  const TemplateDict* fields() const;  // null: no dict
  bool has_places() const;             // a list or tuple; a view of a dict has none
  const TemplateFunction* callable() const;
  bool is_undefined() const { return get<TemplateUndefined>() != nullptr; }
  bool is_none() const { return get<TemplateNone>() != nullptr; }
  bool is_number() const;        // a bool is one, as in Python
  bool is_integer() const;       // not a bool
  std::int64_t integer() const;  // of a bool or an integer
  double number() const;         // of a bool, an integer or a float

  bool truth() const;
  // The field of a dict; null when there is none.
  const TemplateValue* field(std::string_view name, TemplateBudget& budget) const;
  const char* type_name() const;
};

// What goes through values charges the budget for each.

// Python's ==, with 1 == 1.0 == True.
bool equal(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget);
// Python's `is`; equal values of one type that cannot be changed count as the same.
bool is_same(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget);
// -1, 0, 1; throws for what has no order.
int compare(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget);
// Python's len, in characters; throws for what has none.
std::size_t template_length(const TemplateValue& value);
// The character at this place of a text, which is within it.
std::string template_character(const std::string& text, std::size_t at);
// What a loop goes over: items, characters, or the keys of a dict. Nothing for undefined.
TemplateList template_items(const TemplateValue& value, TemplateBudget& budget);
bool template_contains(const TemplateValue& container, const TemplateValue& item, TemplateBudget& budget);
// What {{ value }} prints.
std::string printed(const TemplateValue& value, TemplateBudget& budget);

// Python's format % values: one value, or a tuple of them.
std::string formatted(const std::string& format, const TemplateValue& values, TemplateBudget& budget);

// What json.dumps is told.
struct TemplateJsonStyle {
  bool ascii = false;                 // others as \uXXXX
  bool sorted = false;                // fields by name
  std::optional<std::string> indent;  // nothing: in one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
std::string json_text(const TemplateValue& value, const TemplateJsonStyle& style, TemplateBudget& budget);

}  // namespace witan
