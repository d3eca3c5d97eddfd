// The values that chat templates compute with: Python's, as far as Jinja shows them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace witan {

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
  std::variant<TemplateUndefined, TemplateNone, bool, std::int64_t, double, std::string, std::shared_ptr<TemplateList>,
               std::shared_ptr<TemplateDict>, std::shared_ptr<TemplateFunction>>
      data;
  bool is_namespace = false;  // a dict whose fields `set` may change
  TemplateSequence sequence = TemplateSequence::kList;

  TemplateValue() = default;
  TemplateValue(bool value) : data(value) {}                    // NOLINT(google-explicit-constructor): as JSON has it
  TemplateValue(std::int64_t value) : data(value) {}            // NOLINT(google-explicit-constructor)
  TemplateValue(double value) : data(value) {}                  // NOLINT(google-explicit-constructor)
  TemplateValue(std::string value) : data(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  TemplateValue(const char*) = delete;
  static TemplateValue none();
  static TemplateValue list(TemplateList items, TemplateSequence sequence = TemplateSequence::kList);
  static TemplateValue dict(TemplateDict fields);
  static TemplateValue function(TemplateFunction function);
  static TemplateValue from_json(const nlohmann::ordered_json& json);

  template <class Kind>
  const Kind* get() const {
    return std::get_if<Kind>(&data);
  }
  const std::string* text() const { return get<std::string>(); }
  const TemplateList* items() const;   // null: no list
  const TemplateDict* fields() const;  // null: no dict
  const TemplateFunction* callable() const;
  bool is_undefined() const { return get<TemplateUndefined>() != nullptr; }
  bool is_none() const { return get<TemplateNone>() != nullptr; }
  bool is_number() const;        // a bool is one, as in Python
  bool is_integer() const;       // not a bool
  std::int64_t integer() const;  // of a bool or an integer
  double number() const;         // of a bool, an integer or a float

  bool truth() const;
  // The field of a dict; null when there is none.
  const TemplateValue* field(std::string_view name) const;
  const char* type_name() const;
};

// Python's ==, with 1 == 1.0 == True.
bool equal(const TemplateValue& a, const TemplateValue& b);
// Python's `is`; equal values of one type that cannot be changed count as the same.
bool is_same(const TemplateValue& a, const TemplateValue& b);
// What {{ value }} prints.
std::string printed(const TemplateValue& value);
// json.dumps(value, ensure_ascii=False), in one line when `indent` is negative.
std::string json_text(const TemplateValue& value, std::int64_t indent = -1);

}  // namespace witan
