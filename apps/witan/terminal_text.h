// Text from a model, made safe to show: what it says must not command the terminal.
#pragma once

#include <string>
#include <string_view>

namespace witan::cli {

// Control characters but for newline and tab as their pictures (ESC as U+241B), those of U+0080 to U+009F as U+FFFD.
// `text` is valid UTF-8; so is the result.
std::string visible_controls(std::string_view text);

// The same on one line: newlines and tabs as \n and \t. For names in tables.
std::string on_one_line(std::string_view name);

// What standard output gets of a model's text: a program every byte, a terminal no control characters.
std::string for_standard_output(const std::string& text);

}  // namespace witan::cli
