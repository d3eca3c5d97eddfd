// Lists of numbers as text.
#include "base/number_list.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"

namespace witan {
namespace {

template <class T>
std::vector<T> parse(std::string_view name, std::string_view text) {
  std::vector<T> numbers;
  std::string_view rest = text;
  while (!text.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    T value{};
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), value);
    if (error != std::errc() || end != item.data() + item.size()) {
      fail("{}: '{}' in '{}' is no number (expected numbers separated by commas)", name, item, text);
    }
    numbers.push_back(value);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return numbers;
}

template <class T>
std::string text_of(std::span<const T> numbers) {
  std::string text;
  for (const T number : numbers) text += fmt::format("{}{}", text.empty() ? "" : ",", number);
  return text;
}

}  // namespace

std::vector<std::int64_t> parse_integers(std::string_view name, std::string_view text) {
  return parse<std::int64_t>(name, text);
}

bool list_holds(std::string_view text, std::int64_t number) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    if (value == number) return true;
    at = next == end ? end : next + 1;
  }
  return false;
}

std::vector<double> parse_reals(std::string_view name, std::string_view text) { return parse<double>(name, text); }

std::string integers_text(std::span<const std::int64_t> numbers) { return text_of(numbers); }

std::string reals_text(std::span<const double> numbers) { return text_of(numbers); }

}  // namespace witan
