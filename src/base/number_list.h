// Numbers in a text field, separated by commas: "0,3,5".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

// An empty text is an empty list. Throws Error with `name` and the text when it is no such list.
std::vector<std::int64_t> parse_integers(std::string_view name, std::string_view text);
std::vector<double> parse_reals(std::string_view name, std::string_view text);

// Whether a list, already found to be one, holds the number; nothing is made.
bool list_holds(std::string_view text, std::int64_t number);

// The inverses; reals keep every bit.
std::string integers_text(std::span<const std::int64_t> numbers);
std::string reals_text(std::span<const double> numbers);

}  // namespace witan
