// Fields: parsing, checking and printing of single values, and whole JSON objects of them.
#include "base/config.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/suggest.h"

namespace witan {
namespace {

// Bounds beyond this are "none": what is left of INT64_MAX after a trip through double.
constexpr double kUnbounded = 9.0e18;

std::string where(const Field& field) { return field.scope.empty() ? field.name : field.scope + "." + field.name; }

std::string number_text(double value) {
  return value == std::floor(value) && std::fabs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                               : fmt::format("{}", value);
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A real that is a whole number every double near it can express.
std::optional<std::int64_t> whole(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (!(std::fabs(value) <= kExact) || value != std::floor(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<bool> parse_flag(std::string_view text) {
  constexpr std::array<std::string_view, 4> kTrue = {"true", "yes", "on", "1"};
  constexpr std::array<std::string_view, 4> kFalse = {"false", "no", "off", "0"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  return std::nullopt;
}

void check_range(const Field& field, bool above, bool below, const std::string& shown) {
  if (above) {
    fail("{}: {} exceeds {} (expected {})", where(field), shown, number_text(field.maximum), field.range_text());
  }
  if (below) {
    fail("{}: {} is below {} (expected {})", where(field), shown, number_text(field.minimum), field.range_text());
  }
}

void assign(const Field& field, std::int64_t value) {
  // As integers: beyond 2^53 neighbours are one number as doubles.
  const bool above = field.maximum < kUnbounded && value > static_cast<std::int64_t>(field.maximum);
  const bool below = field.minimum > -kUnbounded && value < static_cast<std::int64_t>(field.minimum);
  check_range(field, above, below, fmt::format("{}", value));
  *std::get<std::int64_t*>(field.target) = value;
}

void assign(const Field& field, double value) {
  if (!std::isfinite(value)) fail("{}: {} is not a finite number", where(field), value);
  check_range(field, value > field.maximum, value < field.minimum, fmt::format("{}", value));
  *std::get<double*>(field.target) = value;
}

void assign(const Field& field, std::string_view value) {
  if (!field.choices.empty() && std::find(field.choices.begin(), field.choices.end(), value) == field.choices.end()) {
    std::string hint = suggestion(value, field.choices);
    if (hint.empty()) hint = " (known: " + comma_list(field.choices) + ")";
    fail("{}: unknown value '{}'{}", where(field), value, hint);
  }
  *std::get<std::string*>(field.target) = value;
}

[[noreturn]] void fail_type(const Field& field, const char* expected, std::string_view got) {
  const std::string range = field.range_text();
  fail("{}: expected {}{}{}, got {}", where(field), expected, range.empty() ? "" : ", ", range, got);
}

}  // namespace

std::string Field::flag() const {
  std::string dashed = "--" + name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return dashed;
}

std::string Field::text() const {
  if (const auto* flag_target = std::get_if<bool*>(&target)) return **flag_target ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t*>(&target)) return fmt::format("{}", **integer);
  if (const auto* real = std::get_if<double*>(&target)) return fmt::format("{}", **real);
  return *std::get<std::string*>(target);
}

std::string Field::range_text() const {
  if (!choices.empty()) return "one of: " + comma_list(choices);
  const bool below = minimum > -kUnbounded;
  const bool above = maximum < kUnbounded;
  if (below && above) return number_text(minimum) + " to " + number_text(maximum);
  if (below) return "at least " + number_text(minimum);
  if (above) return "at most " + number_text(maximum);
  return "";
}

nlohmann::json Field::to_json() const {
  return std::visit([](const auto* value) { return nlohmann::json(*value); }, target);
}

void Field::set(std::string_view typed) const {
  if (auto* const* flag_target = std::get_if<bool*>(&target)) {
    const std::optional<bool> value = parse_flag(typed);
    if (!value) fail_type(*this, "true or false", fmt::format("'{}'", typed));
    **flag_target = *value;
  } else if (std::holds_alternative<std::int64_t*>(target)) {
    std::optional<std::int64_t> value = parse_number<std::int64_t>(typed);
    if (!value) {
      if (const std::optional<double> real = parse_number<double>(typed)) value = whole(*real);
    }
    if (!value) fail_type(*this, "an integer", fmt::format("'{}'", typed));
    assign(*this, *value);
  } else if (std::holds_alternative<double*>(target)) {
    const std::optional<double> value = parse_number<double>(typed);
    if (!value) fail_type(*this, "a number", fmt::format("'{}'", typed));
    assign(*this, *value);
  } else {
    assign(*this, typed);
  }
}

void Field::set_json(const nlohmann::json& value) const {
  const auto shown = [&] { return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); };
  if (auto* const* flag_target = std::get_if<bool*>(&target)) {
    if (!value.is_boolean()) fail_type(*this, "true or false", shown());
    **flag_target = value.get<bool>();
  } else if (std::holds_alternative<std::int64_t*>(target)) {
    std::optional<std::int64_t> number;
    if (value.is_number_unsigned()) {
      const auto wide = value.get<std::uint64_t>();
      if (wide <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        number = static_cast<std::int64_t>(wide);
      }
    } else if (value.is_number_integer()) {
      number = value.get<std::int64_t>();
    } else if (value.is_number_float()) {
      number = whole(value.get<double>());
    }
    if (!number) fail_type(*this, "an integer", shown());
    assign(*this, *number);
  } else if (std::holds_alternative<double*>(target)) {
    if (!value.is_number()) fail_type(*this, "a number", shown());
    assign(*this, value.get<double>());
  } else {
    if (!value.is_string()) fail_type(*this, "a string", shown());
    assign(*this, std::string_view(value.get_ref<const std::string&>()));
  }
}

namespace {

Field declare(std::string name, const std::string& scope, std::string help, decltype(Field::target) target) {
  Field field;
  field.name = std::move(name);
  field.scope = scope;
  field.help = std::move(help);
  field.target = target;
  field.default_text = field.text();
  return field;
}

void append(std::vector<Field>& fields, Field field) {
  for (const Field& other : fields) WITAN_ASSERT(other.name != field.name);
  fields.push_back(std::move(field));
}

}  // namespace

Fields& Fields::flag(std::string name, bool& target, std::string help) {
  append(fields_, declare(std::move(name), scope_, std::move(help), &target));
  return *this;
}

Fields& Fields::integer(std::string name, std::int64_t& target, std::int64_t minimum, std::int64_t maximum,
                        std::string help) {
  Field field = declare(std::move(name), scope_, std::move(help), &target);
  field.minimum = static_cast<double>(minimum);
  field.maximum = static_cast<double>(maximum);
  WITAN_ASSERT(target >= minimum && target <= maximum);
  append(fields_, std::move(field));
  return *this;
}

Fields& Fields::real(std::string name, double& target, double minimum, double maximum, std::string help) {
  Field field = declare(std::move(name), scope_, std::move(help), &target);
  field.minimum = minimum;
  field.maximum = maximum;
  WITAN_ASSERT(target >= minimum && target <= maximum);
  append(fields_, std::move(field));
  return *this;
}

Fields& Fields::text(std::string name, std::string& target, std::string help) {
  append(fields_, declare(std::move(name), scope_, std::move(help), &target));
  return *this;
}

Fields& Fields::choice(std::string name, std::string& target, std::vector<std::string> choices, std::string help) {
  Field field = declare(std::move(name), scope_, std::move(help), &target);
  field.choices = std::move(choices);
  WITAN_ASSERT(std::find(field.choices.begin(), field.choices.end(), target) != field.choices.end());
  append(fields_, std::move(field));
  return *this;
}

Fields& Fields::include(const Fields& other) {
  for (const Field& field : other.fields_) append(fields_, field);
  return *this;
}

const Field& Fields::find(std::string_view name) const {
  std::vector<std::string> known;
  for (const Field& field : fields_) {
    if (field.name == name) return field;
    known.push_back(field.name);
  }
  fail("{}: unknown field '{}'{}", scope_, name, suggestion(name, known));
}

void Fields::set_all(const nlohmann::json& object) const {
  if (!object.is_object()) fail("{}: expected a JSON object, got {}", scope_, object.type_name());
  for (const auto& [key, value] : object.items()) find(key).set_json(value);
}

nlohmann::json Fields::to_json() const {
  nlohmann::json object = nlohmann::json::object();
  for (const Field& field : fields_) object[field.name] = field.to_json();
  return object;
}

}  // namespace witan
