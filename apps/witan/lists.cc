// Lists and ranges as users type them.
#include "witan/lists.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace witan::cli {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> entries;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view entry = text.substr(0, comma);
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    if (entry.empty()) fail("list: an entry of '{}' is empty", text);
    entries.emplace_back(entry);
    if (comma == std::string_view::npos) return entries;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::int64_t> parse_range(std::string_view text, std::int64_t maximum) {
  const auto number = [&](std::string_view digits) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 1 || value > maximum) {
      fail("experts: '{}' is not a number from 1 to {}, nor a range such as 1..8", text, maximum);
    }
    return value;
  };
  std::vector<std::int64_t> values;
  for (const std::string& entry : split_list(text)) {
    const std::size_t dots = entry.find("..");
    const std::int64_t first = number(std::string_view(entry).substr(0, dots));
    const std::int64_t last = dots == std::string::npos ? first : number(std::string_view(entry).substr(dots + 2));
    if (last < first) fail("experts: the range '{}' is empty", entry);
    for (std::int64_t value = first; value <= last; ++value) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace witan::cli
