// UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace witan {

// Bytes of the character at the start of `text`: 1 to 4, or 0 when it is invalid or cut short. `text` is not empty.
std::size_t utf8_length(std::string_view text);
// Whether `text`, which is no whole character, could become one with more bytes.
bool utf8_incomplete(std::string_view text);
// Offset of the first byte that belongs to no character; npos when all is valid.
std::size_t find_invalid_utf8(std::string_view text);
// Every maximal piece of a broken character becomes one U+FFFD (the replacement that Unicode recommends).
std::string replace_invalid_utf8(std::string_view text);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

}  // namespace witan
