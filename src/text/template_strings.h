// Methods of Python's strings that chat templates call. Texts are UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

class TemplateBudget;

// Without the white space, or the characters of `set`, at either end.
std::string strip_space(std::string_view text, bool left, bool right);
std::string strip_characters(std::string_view text, std::string_view set, bool left, bool right);

// Where `part` first stands at `from` or later, or where it last stands; npos for none. In a time that grows with both
// texts, not with their product.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
std::size_t find_last_text(std::string_view text, std::string_view part);

// What splits charges the budget for each part.

// Words between white space. Beyond `most` splits (-1: no limit) the rest of the text stays whole, with the white space
// at its far end: the last part, or from the right the first.
std::vector<std::string> split_words(const std::string& text, std::int64_t most, bool from_right,
                                     TemplateBudget& budget);
// Parts between one separator and the next. Throws Error for an empty separator.
std::vector<std::string> split_at(std::string_view text, std::string_view by, std::int64_t most, bool from_right,
                                  TemplateBudget& budget);
// At every end of a line that Python knows.
std::vector<std::string> split_lines(std::string_view text, bool keeps_ends, TemplateBudget& budget);

// Runs of letters, digits and connectors.
std::int64_t count_words(std::string_view text);

std::string cased(const std::string& text, bool upper);
// The first letter of the text, or of each word, upper case; the rest lower.
std::string capitalized(const std::string& text, bool each_word);

}  // namespace witan
