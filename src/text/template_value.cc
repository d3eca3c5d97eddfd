// Values, how they compare, and what they hold.
#include "text/template_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/template_budget.h"
#include "text/template_strings.h"
#include "text/unicode.h"

namespace witan {
namespace {

constexpr std::uint8_t kDeepestValue = 100;  // lists in lists

// Taken up by what holds `inner`.
void hold(const TemplateValue& inner, TemplateValue& outer) {
  if (inner.depth >= kDeepestValue) fail("a value nests more than {} deep", kDeepestValue);
  outer.depth = std::max(outer.depth, static_cast<std::uint8_t>(inner.depth + 1));
  outer.holds_namespace = outer.holds_namespace || inner.is_namespace || inner.holds_namespace;
}

TemplateValue value_of_json(const nlohmann::ordered_json& json, int depth) {
  if (json.is_null()) return TemplateValue::none();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (depth >= kDeepestValue) fail("a value nests more than {} deep", kDeepestValue);
  if (json.is_array()) {
    TemplateList items;
    for (const auto& item : json) items.push_back(value_of_json(item, depth + 1));
    return TemplateValue::list(std::move(items));
  }
  TemplateDict fields;
  for (const auto& [name, item] : json.items()) fields.emplace_back(name, value_of_json(item, depth + 1));
  return TemplateValue::dict(std::move(fields));
}

template <class Number>
int order_of(Number a, Number b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

}  // namespace

TemplateValue::TemplateValue(std::string value) : data(std::make_shared<const std::string>(std::move(value))) {}

TemplateValue TemplateValue::none() {
  TemplateValue value;
  value.data = TemplateNone{};
  return value;
}
TemplateValue TemplateValue::list(TemplateList items, TemplateSequence sequence) {
  TemplateValue value;
  value.depth = 1;
  for (const TemplateValue& item : items) hold(item, value);
  value.data = std::make_shared<TemplateList>(std::move(items));
  value.sequence = sequence;
  return value;
}
TemplateValue TemplateValue::dict(TemplateDict fields) {
  TemplateValue value;
  value.depth = 1;
  for (const auto& [name, field] : fields) hold(field, value);
  value.data = std::make_shared<TemplateDict>(std::move(fields));
  return value;
}
TemplateValue TemplateValue::function(TemplateFunction function) {
  TemplateValue value;
  value.data = std::make_shared<TemplateFunction>(std::move(function));
  return value;
}

TemplateValue TemplateValue::from_json(const nlohmann::ordered_json& json) { return value_of_json(json, 0); }

const std::string* TemplateValue::text() const {
  const auto* pointer = get<Text>();
  return pointer == nullptr ? nullptr : pointer->get();
}
const TemplateList* TemplateValue::items() const {
  const auto* pointer = get<std::shared_ptr<TemplateList>>();
  return pointer == nullptr ? nullptr : pointer->get();
}
bool TemplateValue::has_places() const {
  return items() != nullptr && (sequence == TemplateSequence::kList || sequence == TemplateSequence::kTuple);
}
const TemplateDict* TemplateValue::fields() const {
  const auto* pointer = get<std::shared_ptr<TemplateDict>>();
  return pointer == nullptr ? nullptr : pointer->get();
}
const TemplateFunction* TemplateValue::callable() const {
  const auto* pointer = get<std::shared_ptr<TemplateFunction>>();
  return pointer == nullptr ? nullptr : pointer->get();
}
bool TemplateValue::is_number() const { return get<bool>() != nullptr || is_integer() || get<double>() != nullptr; }
bool TemplateValue::is_integer() const { return get<std::int64_t>() != nullptr; }
std::int64_t TemplateValue::integer() const {
  const bool* truth_value = get<bool>();
  return truth_value != nullptr ? static_cast<std::int64_t>(*truth_value) : std::get<std::int64_t>(data);
}
double TemplateValue::number() const {
  const double* value = get<double>();
  return value != nullptr ? *value : static_cast<double>(integer());
}

bool TemplateValue::truth() const {
  if (const std::string* value = text()) return !value->empty();
  if (const TemplateList* value = items()) return !value->empty();
  if (const TemplateDict* value = fields()) return !value->empty() || is_namespace;
  if (is_number()) return number() != 0.0;
  return callable() != nullptr;
}

const TemplateValue* TemplateValue::field(std::string_view name, TemplateBudget& budget) const {
  const TemplateDict* dict_fields = fields();
  if (dict_fields == nullptr) return nullptr;
  budget.charge(dict_fields->size());
  const auto found = std::ranges::find_if(*dict_fields, [&](const auto& entry) { return entry.first == name; });
  return found == dict_fields->end() ? nullptr : &found->second;
}

const char* TemplateValue::type_name() const {
  constexpr const char* kNames[] = {"undefined", "None",   "a bool", "an int",    "a float",
                                    "a string",  "a list", "a dict", "a function"};
  if (items() != nullptr && sequence == TemplateSequence::kTuple) return "a tuple";
  return kNames[data.index()];
}

bool equal(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget) {
  budget.visit();
  if (a.is_number() && b.is_number()) {
    const bool whole = a.get<double>() == nullptr && b.get<double>() == nullptr;
    return whole ? a.integer() == b.integer() : a.number() == b.number();
  }
  if (a.data.index() != b.data.index()) return false;
  if (const std::string* text = a.text()) {
    if (text->size() != b.text()->size()) return false;
    budget.charge(text->size());
    return *text == *b.text();
  }
  if (const TemplateList* items = a.items()) {
    if (a.sequence != b.sequence || items->size() != b.items()->size()) return false;
    return items == b.items() || std::ranges::equal(*items, *b.items(), [&](const auto& left, const auto& right) {
             return equal(left, right, budget);
           });
  }
  if (const TemplateDict* fields = a.fields()) {
    if (fields->size() != b.fields()->size()) return false;
    return fields == b.fields() || std::ranges::all_of(*fields, [&](const auto& entry) {
             const TemplateValue* other = b.field(entry.first, budget);
             return other != nullptr && equal(entry.second, *other, budget);
           });
  }
  return a.callable() == b.callable();
}

bool is_same(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget) {
  if (a.data.index() != b.data.index() || a.is_undefined()) return false;
  if (a.items() != nullptr) return a.items() == b.items();
  if (a.fields() != nullptr) return a.fields() == b.fields();
  return equal(a, b, budget);
}

int compare(const TemplateValue& a, const TemplateValue& b, TemplateBudget& budget) {
  budget.visit();
  if (a.is_number() && b.is_number()) {
    const bool whole = a.get<double>() == nullptr && b.get<double>() == nullptr;
    return whole ? order_of(a.integer(), b.integer()) : order_of(a.number(), b.number());
  }
  if (const TemplateList* items = a.items(); items != nullptr && b.items() != nullptr && a.sequence == b.sequence) {
    if (items == b.items()) return 0;
    const auto is_ordered = [](const TemplateValue& value) {
      return value.is_number() || value.text() != nullptr || value.items() != nullptr;
    };
    for (std::size_t i = 0; i < std::min(items->size(), b.items()->size()); ++i) {
      const TemplateValue& left = (*items)[i];
      const TemplateValue& right = (*b.items())[i];
      // What has no order may stand in both, if it is equal.
      if (!is_ordered(left) && equal(left, right, budget)) continue;
      if (const int order = compare(left, right, budget); order != 0) return order;
    }
    return order_of(items->size(), b.items()->size());
  }
  if (a.text() != nullptr && b.text() != nullptr) {
    budget.charge(std::min(a.text()->size(), b.text()->size()));
    return order_of(a.text()->compare(*b.text()), 0);
  }
  fail("{} and {} have no order", a.type_name(), b.type_name());
}

std::size_t template_length(const TemplateValue& value) {
  if (const std::string* text = value.text()) return count_characters(*text);
  if (const TemplateList* items = value.items()) return items->size();
  if (const TemplateDict* fields = value.fields()) return fields->size();
  if (value.is_undefined()) return 0;
  fail("the length of {}", value.type_name());
}

std::string template_character(const std::string& text, std::size_t at) {
  std::size_t begin = 0;
  for (; at > 0; --at) next_character(text, begin);
  std::size_t end = begin;
  next_character(text, end);
  return text.substr(begin, end - begin);
}

TemplateList template_items(const TemplateValue& value, TemplateBudget& budget) {
  TemplateList result;
  if (const TemplateList* items = value.items()) {
    budget.visit(items->size());
    return *items;
  }
  if (const TemplateDict* fields = value.fields()) {
    for (const auto& [key, field] : *fields) {
      budget.visit(2);  // a value and a text of its own
      budget.charge(key.size());
      result.emplace_back(key);
    }
  } else if (const std::string* text = value.text()) {
    for (std::size_t begin = 0; begin < text->size();) {
      std::size_t end = begin;
      next_character(*text, end);
      budget.visit(2);
      result.emplace_back(text->substr(begin, end - begin));
      begin = end;
    }
  } else if (!value.is_undefined()) {
    fail("{} cannot be looped over", value.type_name());
  }
  return result;
}

bool template_contains(const TemplateValue& container, const TemplateValue& item, TemplateBudget& budget) {
  if (const std::string* text = container.text()) {
    if (item.text() == nullptr) fail("in a string wants a string, not {}", item.type_name());
    budget.charge(text->size());
    return find_text(*text, *item.text()) != std::string::npos;
  }
  if (container.fields() != nullptr) return item.text() != nullptr && container.field(*item.text(), budget) != nullptr;
  if (container.items() == nullptr) fail("nothing is in {}", container.type_name());
  return std::ranges::any_of(*container.items(), [&](const TemplateValue& one) { return equal(one, item, budget); });
}

}  // namespace witan
