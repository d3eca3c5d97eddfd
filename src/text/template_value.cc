// Values, how they compare, and how they are written: by print and by json.dumps.
#include "text/template_value.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace {

constexpr int kDeepestValue = 100;  // lists in lists; a template can build them as deep as it likes

void check_depth(int depth) {
  if (depth > kDeepestValue) fail("chat_template: a value nests more than {} deep", kDeepestValue);
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string quoted(const std::string& text, char quote, bool json) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\') {
      result += {'\\', c};
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\r') {
      result += "\\r";
    } else if (c == '\t') {
      result += "\\t";
    } else if (json && c == '\b') {
      result += "\\b";
    } else if (json && c == '\f') {
      result += "\\f";
    } else if (static_cast<unsigned char>(c) < 0x20 || (!json && c == 0x7F)) {
      result += fmt::format("{}{:02x}", json ? "\\u00" : "\\x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      result += c;
    }
  }
  return result + quote;
}

std::string represented(const TemplateValue& value, int depth) {
  check_depth(depth);
  if (const std::string* text = value.text()) {
    const bool single = text->find('\'') != std::string::npos && text->find('"') == std::string::npos;
    return quoted(*text, single ? '"' : '\'', false);
  }
  if (const TemplateList* items = value.items()) {
    std::string inner;
    for (const TemplateValue& item : *items) inner += (inner.empty() ? "" : ", ") + represented(item, depth + 1);
    switch (value.sequence) {
      case TemplateSequence::kList:
        return "[" + inner + "]";
      case TemplateSequence::kTuple:
        return "(" + inner + (items->size() == 1 ? ",)" : ")");
      case TemplateSequence::kKeys:
        return "dict_keys([" + inner + "])";
      case TemplateSequence::kValues:
        return "dict_values([" + inner + "])";
      case TemplateSequence::kItems:
        return "dict_items([" + inner + "])";
    }
  }
  if (const TemplateDict* fields = value.fields()) {
    std::string result = "{";
    for (const auto& [name, item] : *fields) {
      result += (result.size() > 1 ? ", " : "") + quoted(name, '\'', false) + ": " + represented(item, depth + 1);
    }
    return result + "}";
  }
  return value.is_undefined() ? "Undefined" : printed(value);
}

void write_json_text(const TemplateValue& value, std::int64_t indent, int depth, std::string& out) {
  check_depth(depth);
  const auto line = [&](int level) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(level), ' ');
  };
  const char* const comma = indent < 0 ? ", " : ",";
  if (const std::string* text = value.text()) {
    out += quoted(*text, '"', true);
  } else if (const TemplateList* items = value.items()) {
    out += '[';
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (i > 0) out += comma;
      line(depth + 1);
      write_json_text((*items)[i], indent, depth + 1, out);
    }
    if (!items->empty()) line(depth);
    out += ']';
  } else if (const TemplateDict* fields = value.fields()) {
    out += '{';
    for (std::size_t i = 0; i < fields->size(); ++i) {
      if (i > 0) out += comma;
      line(depth + 1);
      out += quoted((*fields)[i].first, '"', true) + ": ";
      write_json_text((*fields)[i].second, indent, depth + 1, out);
    }
    if (!fields->empty()) line(depth);
    out += '}';
  } else if (const bool* truth = value.get<bool>()) {
    out += *truth ? "true" : "false";
  } else if (value.is_none()) {
    out += "null";
  } else if (value.is_number()) {
    out += printed(value);
  } else {
    fail("chat_template: tojson of {}", value.type_name());
  }
}

}  // namespace

TemplateValue TemplateValue::none() {
  TemplateValue value;
  value.data = TemplateNone{};
  return value;
}
TemplateValue TemplateValue::list(TemplateList items, TemplateSequence sequence) {
  TemplateValue value;
  value.data = std::make_shared<TemplateList>(std::move(items));
  value.sequence = sequence;
  return value;
}
TemplateValue TemplateValue::dict(TemplateDict fields) {
  TemplateValue value;
  value.data = std::make_shared<TemplateDict>(std::move(fields));
  return value;
}
TemplateValue TemplateValue::function(TemplateFunction function) {
  TemplateValue value;
  value.data = std::make_shared<TemplateFunction>(std::move(function));
  return value;
}

TemplateValue TemplateValue::from_json(const nlohmann::ordered_json& json) {
  if (json.is_null()) return none();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    TemplateList items;
    for (const auto& item : json) items.push_back(from_json(item));
    return list(std::move(items));
  }
  TemplateDict fields;
  for (const auto& [name, item] : json.items()) fields.emplace_back(name, from_json(item));
  return dict(std::move(fields));
}

const TemplateList* TemplateValue::items() const {
  const auto* pointer = get<std::shared_ptr<TemplateList>>();
  return pointer == nullptr ? nullptr : pointer->get();
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

const TemplateValue* TemplateValue::field(std::string_view name) const {
  const TemplateDict* dict_fields = fields();
  if (dict_fields == nullptr) return nullptr;
  const auto found = std::ranges::find_if(*dict_fields, [&](const auto& entry) { return entry.first == name; });
  return found == dict_fields->end() ? nullptr : &found->second;
}

const char* TemplateValue::type_name() const {
  constexpr const char* kNames[] = {"undefined", "None",   "a bool", "an int",    "a float",
                                    "a string",  "a list", "a dict", "a function"};
  if (items() != nullptr && sequence == TemplateSequence::kTuple) return "a tuple";
  return kNames[data.index()];
}

bool equal(const TemplateValue& a, const TemplateValue& b) {
  if (a.is_number() && b.is_number()) {
    const bool whole = a.get<double>() == nullptr && b.get<double>() == nullptr;
    return whole ? a.integer() == b.integer() : a.number() == b.number();
  }
  if (a.data.index() != b.data.index()) return false;
  if (const std::string* text = a.text()) return *text == *b.text();
  if (const TemplateList* items = a.items()) {
    return a.sequence == b.sequence && std::ranges::equal(*items, *b.items(), equal);
  }
  if (const TemplateDict* fields = a.fields()) {
    return fields->size() == b.fields()->size() && std::ranges::all_of(*fields, [&](const auto& entry) {
             const TemplateValue* other = b.field(entry.first);
             return other != nullptr && equal(entry.second, *other);
           });
  }
  return a.callable() == b.callable();
}

bool is_same(const TemplateValue& a, const TemplateValue& b) {
  if (a.data.index() != b.data.index() || a.is_undefined()) return false;
  if (a.items() != nullptr) return a.items() == b.items();
  if (a.fields() != nullptr) return a.fields() == b.fields();
  return equal(a, b);
}

std::string printed(const TemplateValue& value) {
  if (const std::string* text = value.text()) return *text;
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (const bool* truth = value.get<bool>()) return *truth ? "True" : "False";
  if (value.is_integer()) return fmt::format("{}", value.integer());
  if (const double* number = value.get<double>()) return float_text(*number);
  if (value.callable() != nullptr) return "<function>";
  return represented(value, 0);
}

std::string json_text(const TemplateValue& value, std::int64_t indent) {
  std::string out;
  write_json_text(value, indent, 0, out);
  return out;
}

}  // namespace witan
