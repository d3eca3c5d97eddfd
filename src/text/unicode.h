// Characters of valid UTF-8 and what Unicode says of them, by utf8proc. Validity itself is utf8.h's matter.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace witan {

// The character that starts at `position`, which moves past it. `text` is valid UTF-8 and longer than `position`.
char32_t next_character(std::string_view text, std::size_t& position);
std::size_t character_length(char lead);  // bytes of the character that this lead byte begins
void append_character(std::string& text, char32_t character);
std::size_t count_characters(std::string_view text);

bool is_white_space(char32_t character);        // the property White_Space
bool is_number(char32_t character);             // categories N*
bool is_punctuation(char32_t character);        // categories P*, and the ASCII symbols
bool is_mark(char32_t character);               // categories M*
bool is_nonspacing_mark(char32_t character);    // category Mn
bool is_control_or_format(char32_t character);  // categories Cc, Cf, Co
// \w of Unicode's regular expressions (UTS 18, annex C): alphabetic, marks, decimal numbers, connectors, joiners.
bool is_word(char32_t character);

// The full lower-case mapping of Unicode without its conditions on context.
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);  // character by character, but for the sharp s, which becomes two

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string normalized(std::string_view text, NormalForm form);

// Bytes of the extended grapheme cluster (UAX 29) at the start of `text`, which is not empty.
std::size_t grapheme_length(std::string_view text);

// How byte-level BPE writes each byte as a printable character: printable Latin-1 as itself, the rest as the characters
// from U+0100 on (Radford et al. 2019, bytes_to_unicode).
std::string_view byte_character(unsigned char byte);
// The bytes that a text in such characters stands for; nothing when one of them stands for none.
std::optional<std::string> bytes_of_characters(std::string_view text);

}  // namespace witan
