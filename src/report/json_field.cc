// Messages name the key, what was found and what was expected.
#include "report/json_field.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace {

using nlohmann::json;

std::string_view type_name(const json& value) { return value.type_name(); }

const json* find(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

json parse_object(std::string_view text, std::string_view where) {
  json value;
  try {
    value = json::parse(text);
  } catch (const json::parse_error& error) {
    fail("{}: not valid JSON at byte {} of {}: expected one object such as {{\"kind\":...}}", where, error.byte,
         text.size());
  } catch (const json::exception& error) {
    fail("{}: not valid JSON: {}", where, error.what());
  }
  if (!value.is_object()) fail("{}: a JSON {}, expected an object", where, type_name(value));
  return value;
}

double read_number(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) return kMissing;
  if (!value->is_number()) fail("{}: \"{}\" is a JSON {}, expected a number", where, key, type_name(*value));
  return value->get<double>();
}

std::int64_t read_integer(const json& object, const char* key, std::int64_t minimum, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) fail("{}: \"{}\" is missing, expected a whole number", where, key);
  if (!value->is_number_integer() || value->get<std::int64_t>() < minimum) {
    fail("{}: \"{}\" is {}, expected a whole number of at least {}", where, key, value->dump().substr(0, 40), minimum);
  }
  return value->get<std::int64_t>();
}

std::string read_text(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) fail("{}: \"{}\" is missing or not a text", where, key);
  return value->get<std::string>();
}

std::vector<double> read_amounts(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_array()) fail("{}: \"{}\" is a JSON {}, expected a list", where, key, type_name(*value));
  std::vector<double> amounts;
  amounts.reserve(value->size());
  for (const json& entry : *value) {
    const double amount = entry.is_number() ? entry.get<double>() : kMissing;
    if (!(std::isfinite(amount) && amount >= 0)) {
      fail("{}: \"{}\" holds {} at index {}, expected a number of at least 0", where, key, entry.dump().substr(0, 40),
           amounts.size());
    }
    amounts.push_back(amount);
  }
  return amounts;
}

std::vector<std::string> read_names(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_array()) fail("{}: \"{}\" is a JSON {}, expected a list", where, key, type_name(*value));
  std::vector<std::string> names;
  for (const json& entry : *value) {
    if (!entry.is_string()) fail("{}: \"{}\" holds a JSON {}, expected texts", where, key, type_name(entry));
    names.push_back(entry.get<std::string>());
  }
  return names;
}

std::map<std::string, double> read_numbers(const json& object, const char* key, std::string_view where) {
  const json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_object()) fail("{}: \"{}\" is a JSON {}, expected an object", where, key, type_name(*value));
  std::map<std::string, double> numbers;
  for (const auto& [name, entry] : value->items()) numbers[name] = read_number(*value, name.c_str(), where);
  return numbers;
}

const json& read_objects(const json& object, const char* key, std::string_view where) {
  static const json none = json::array();
  const json* value = find(object, key);
  if (value == nullptr) return none;
  if (!value->is_array()) fail("{}: \"{}\" is a JSON {}, expected a list", where, key, type_name(*value));
  for (const json& entry : *value) {
    if (!entry.is_object()) fail("{}: \"{}\" holds a JSON {}, expected objects", where, key, type_name(entry));
  }
  return *value;
}

json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::trunc(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 5);
  double result = value;
  std::from_chars(digits, written.ptr, result);
  return result;
}

}  // namespace witan
