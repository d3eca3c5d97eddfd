// Lists and ranges as users type them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace witan::cli {

// "a, b" -> {"a", "b"}. Throws Error for an empty entry.
std::vector<std::string> split_list(std::string_view text);
// "4" -> {4}, "1..8" -> {1, ..., 8}, "2,4" -> {2, 4}; ascending, from 1 to maximum. Throws Error for anything else.
std::vector<std::int64_t> parse_range(std::string_view text, std::int64_t maximum);

}  // namespace witan::cli
