// Table 3-7 of the Unicode standard, "Well-Formed UTF-8 Byte Sequences", as code.
#include "text/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace witan {
namespace {

struct Lead {
  std::size_t length = 0;         // of the character; 0: no lead byte
  unsigned char second_low = 0;   // the range of the second byte is narrower after some leads:
  unsigned char second_high = 0;  // this is what excludes overlong forms and surrogates
};

Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte < 0xF0) {
    const auto low = static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80);
    return {3, low, static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF)};
  }
  if (byte < 0xF5) {
    const auto low = static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80);
    return {4, low, static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF)};
  }
  return {};
}

// How many bytes at the start could belong to one character: its whole length when valid, else the maximal piece.
std::size_t well_formed_prefix(std::string_view text, const Lead& first) {
  if (first.length == 0) return 0;
  const std::size_t available = std::min(first.length, text.size());
  for (std::size_t i = 1; i < available; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char low = i == 1 ? first.second_low : 0x80;
    const unsigned char high = i == 1 ? first.second_high : 0xBF;
    if (byte < low || byte > high) return i;
  }
  return available;
}

// Eight ASCII bytes at a time: most text is mostly ASCII.
std::size_t ascii_run(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof word);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const Lead first = lead(static_cast<unsigned char>(text[0]));
  return first.length != 0 && well_formed_prefix(text, first) == first.length ? first.length : 0;
}

bool utf8_incomplete(std::string_view text) {
  if (text.empty()) return false;
  const Lead first = lead(static_cast<unsigned char>(text[0]));
  return text.size() < first.length && well_formed_prefix(text, first) == text.size();
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t position = 0;
  for (;;) {
    position += ascii_run(text.substr(position));
    if (position == text.size()) return std::string_view::npos;
    const std::size_t length = utf8_length(text.substr(position));
    if (length == 0) return position;
    position += length;
  }
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t valid = std::min(find_invalid_utf8(text), text.size());
    result += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    result += kReplacementCharacter;
    const std::size_t broken = well_formed_prefix(text, lead(static_cast<unsigned char>(text[0])));
    text.remove_prefix(std::max<std::size_t>(1, broken));
  }
  return result;
}

}  // namespace witan
