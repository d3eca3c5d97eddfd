// Python's text % values, with the conversions s, d, i, x, f and %%.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/template_budget.h"
#include "text/template_value.h"
#include "text/unicode.h"

namespace witan {
namespace {

struct TemplateConversion {
  bool left = false;
  bool zeros = false;
  bool plus = false;
  bool blank = false;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
};

constexpr std::size_t kWidestConversion = 1000;

std::size_t conversion_size(const std::string& format, std::size_t& at) {
  std::size_t size = 0;
  for (; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at) {
    size = size * 10 + static_cast<std::size_t>(format[at] - '0');
    if (size > kWidestConversion) fail("%: a width of more than {}", kWidestConversion);
  }
  return size;
}

TemplateConversion read_conversion(const std::string& format, std::size_t& at) {
  TemplateConversion conversion;
  for (; at < format.size(); ++at) {
    bool* const flag = format[at] == '-'   ? &conversion.left
                       : format[at] == '0' ? &conversion.zeros
                       : format[at] == '+' ? &conversion.plus
                       : format[at] == ' ' ? &conversion.blank
                                           : nullptr;
    if (flag == nullptr) break;
    *flag = true;
  }
  conversion.width = conversion_size(format, at);
  if (at < format.size() && format[at] == '.') conversion.precision = conversion_size(format, ++at);
  return conversion;
}

std::string converted_text(const TemplateConversion& conversion, std::string text) {
  if (!conversion.precision) return text;
  std::size_t end = 0;
  for (std::size_t i = 0; i < *conversion.precision && end < text.size(); ++i) next_character(text, end);
  return text.substr(0, end);
}

std::string converted_number(const TemplateConversion& conversion, char kind, const TemplateValue& value) {
  if (!value.is_number() || (kind == 'x' && value.get<double>() != nullptr)) {
    fail("%{} wants a number, not {}", kind, value.type_name());
  }
  std::string digits;
  bool negative = false;
  if (kind == 'f') {
    negative = std::signbit(value.number());
    digits = fmt::format("{:.{}f}", std::abs(value.number()), conversion.precision.value_or(6));
  } else {
    if (value.get<double>() != nullptr && !(std::abs(value.number()) < 9e18))
      fail("%{}: the number is too large", kind);
    const std::int64_t whole =
        value.get<double>() != nullptr ? static_cast<std::int64_t>(value.number()) : value.integer();
    negative = whole < 0;
    const std::uint64_t size = negative ? 0 - static_cast<std::uint64_t>(whole) : static_cast<std::uint64_t>(whole);
    digits = kind == 'x' ? fmt::format("{:x}", size) : fmt::format("{}", size);
    const std::size_t least = conversion.precision.value_or(0);
    if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  }
  const std::string sign = negative ? "-" : conversion.plus ? "+" : conversion.blank ? " " : "";
  const std::size_t size = sign.size() + digits.size();
  if (conversion.zeros && !conversion.left && size < conversion.width) digits.insert(0, conversion.width - size, '0');
  return sign + digits;
}

}  // namespace

std::string formatted(const std::string& format, const TemplateValue& values, TemplateBudget& budget) {
  const bool is_tuple = values.items() != nullptr && values.sequence == TemplateSequence::kTuple;
  const std::size_t count = is_tuple ? values.items()->size() : 1;
  std::size_t used = 0;
  std::string result;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      result += format[at++];
      continue;
    }
    const TemplateConversion conversion = read_conversion(format, ++at);
    const char kind = at < format.size() ? format[at++] : '\0';
    if (kind == '%') {
      result += '%';
      continue;
    }
    if (std::string_view("sdixf").find(kind) == std::string_view::npos) {
      fail("%: a conversion is unknown (known: %s, %d, %i, %x, %f, %%)");
    }
    if (used == count) fail("%: more conversions than values");
    const TemplateValue& value = is_tuple ? (*values.items())[used] : values;
    ++used;
    const std::string text = kind == 's' ? converted_text(conversion, printed(value, budget))
                                         : converted_number(conversion, kind == 'i' ? 'd' : kind, value);
    const std::string pad(conversion.width - std::min(conversion.width, count_characters(text)), ' ');
    budget.charge(text.size() + pad.size());
    result += conversion.left ? text + pad : pad + text;
  }
  if (used < count && values.fields() == nullptr && (is_tuple || values.items() == nullptr)) {
    fail("%: more values than conversions");
  }
  return result;
}

}  // namespace witan
