// Properties by utf8proc; forms by utf8proc_map, which most text needs not.
#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/error.h"

namespace witan {
namespace {

utf8proc_category_t category(char32_t character) { return utf8proc_category(static_cast<utf8proc_int32_t>(character)); }

bool within(char32_t character, char32_t first, char32_t last) { return character >= first && character <= last; }

// Text below U+0300 is in form C already; ASCII is in every form.
bool is_in_form(std::string_view text, NormalForm form) {
  const unsigned char bound = form == NormalForm::kNfc ? 0xCC : 0x80;
  return std::ranges::all_of(text, [bound](char c) { return static_cast<unsigned char>(c) < bound; });
}

struct ByteAlphabet {
  std::array<std::string, 256> characters;
  std::array<short, 0x180> bytes{};

  ByteAlphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool printable = within(byte, 0x21, 0x7E) || (within(byte, 0xA1, 0xFF) && byte != 0xAD);
      const char32_t character = printable ? byte : next++;
      append_character(characters[byte], character);
      bytes[character] = static_cast<short>(byte);
    }
  }
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

}  // namespace

std::size_t character_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

char32_t next_character(std::string_view text, std::size_t& position) {
  const auto lead = static_cast<unsigned char>(text[position]);
  if (lead < 0x80) {
    ++position;
    return lead;
  }
  const std::size_t length = std::min(character_length(text[position]), text.size() - position);
  char32_t character = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    character = (character << 6) | (static_cast<unsigned char>(text[position + i]) & 0x3FU);
  }
  position += length;
  return character;
}

void append_character(std::string& text, char32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_white_space(char32_t character) {
  if (character < 0x80) return character == ' ' || within(character, 0x09, 0x0D);
  const utf8proc_category_t which = category(character);
  return character == 0x85 || which == UTF8PROC_CATEGORY_ZS || which == UTF8PROC_CATEGORY_ZL ||
         which == UTF8PROC_CATEGORY_ZP;
}

bool is_number(char32_t character) {
  const utf8proc_category_t which = category(character);
  return which == UTF8PROC_CATEGORY_ND || which == UTF8PROC_CATEGORY_NL || which == UTF8PROC_CATEGORY_NO;
}

bool is_punctuation(char32_t character) {
  if (character < 0x80) {
    return within(character, '!', '/') || within(character, ':', '@') || within(character, '[', '`') ||
           within(character, '{', '~');
  }
  const utf8proc_category_t which = category(character);
  return which >= UTF8PROC_CATEGORY_PC && which <= UTF8PROC_CATEGORY_PO;
}

bool is_mark(char32_t character) {
  const utf8proc_category_t which = category(character);
  return which >= UTF8PROC_CATEGORY_MN && which <= UTF8PROC_CATEGORY_ME;
}

bool is_nonspacing_mark(char32_t character) { return category(character) == UTF8PROC_CATEGORY_MN; }

bool is_control_or_format(char32_t character) {
  const utf8proc_category_t which = category(character);
  return which == UTF8PROC_CATEGORY_CC || which == UTF8PROC_CATEGORY_CF || which == UTF8PROC_CATEGORY_CO;
}

bool is_word(char32_t character) {
  const utf8proc_category_t which = category(character);
  if (which >= UTF8PROC_CATEGORY_LU && which <= UTF8PROC_CATEGORY_NL) return true;  // L*, M*, Nd, Nl
  if (which == UTF8PROC_CATEGORY_PC) return true;
  // The circled and squared letters are symbols, and alphabetic all the same.
  return within(character, 0x24B6, 0x24E9) || within(character, 0x1F130, 0x1F149) ||
         within(character, 0x1F150, 0x1F169) || within(character, 0x1F170, 0x1F189) || character == 0x200C ||
         character == 0x200D;
}

std::string lower_case(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const char32_t character = next_character(text, position);
    if (character == 0x130) {  // I with a dot: the one whose lower case is two characters
      result += "i\u0307";
    } else {
      append_character(result, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))));
    }
  }
  return result;
}

std::string upper_case(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const char32_t character = next_character(text, position);
    if (character == 0xDF) {
      result += "SS";
    } else {
      append_character(result, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character))));
    }
  }
  return result;
}

std::string normalized(std::string_view text, NormalForm form) {
  if (is_in_form(text, form)) return std::string(text);
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (length < 0) fail("text: cannot be normalised: {}", utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(length)};
}

std::size_t grapheme_length(std::string_view text) {
  std::size_t position = 0;
  auto left = static_cast<utf8proc_int32_t>(next_character(text, position));
  utf8proc_int32_t state = 0;
  while (position < text.size()) {
    std::size_t next = position;
    const auto right = static_cast<utf8proc_int32_t>(next_character(text, next));
    if (utf8proc_grapheme_break_stateful(left, right, &state) != 0) break;
    left = right;
    position = next;
  }
  return position;
}

std::string_view byte_character(unsigned char byte) { return byte_alphabet().characters[byte]; }

std::optional<std::string> bytes_of_characters(std::string_view text) {
  const ByteAlphabet& alphabet = byte_alphabet();
  std::string bytes;
  for (std::size_t position = 0; position < text.size();) {
    const char32_t character = next_character(text, position);
    if (character >= alphabet.bytes.size() || alphabet.bytes[character] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet.bytes[character]);
  }
  return bytes;
}

}  // namespace witan
