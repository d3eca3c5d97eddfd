// Characters are compared by their bytes; nothing is decoded.
#include "text/merge_borders.h"

#include <algorithm>
#include <cstring>

#include "text/utf8.h"

namespace witan {
namespace {

// The bytes of the character at `position`, which moves past it, as one number.
std::uint32_t character_number(std::string_view text, std::size_t& position) {
  const auto lead = static_cast<unsigned char>(text[position]);
  if (lead < 0x80) {
    ++position;
    return lead;
  }
  const std::size_t length = std::max<std::size_t>(1, utf8_length(text.substr(position)));
  std::uint32_t number = 0;
  std::memcpy(&number, text.data() + position, length);
  position += length;
  return number;
}

}  // namespace

void MergeBorders::add_token(std::string_view token) {
  if (token.empty()) return;
  std::size_t position = 0;
  std::uint32_t left = character_number(token, position);
  while (position < token.size()) {
    const std::uint32_t right = character_number(token, position);
    if (left < kAscii && right < kAscii) {
      ascii_[left * kAscii / 64 + right / 64] |= std::uint64_t{1} << (right % 64);
    } else {
      others_.set((std::uint64_t{left} << 32) | right, 1);
    }
    left = right;
  }
}

bool MergeBorders::joined(std::uint32_t left, std::uint32_t right) const {
  if (left < kAscii && right < kAscii) return ((ascii_[left * kAscii / 64 + right / 64] >> (right % 64)) & 1) != 0;
  return others_.contains((std::uint64_t{left} << 32) | right);
}

std::size_t MergeBorders::word_length(std::string_view text) const {
  std::size_t position = 0;
  std::uint32_t left = character_number(text, position);
  while (position < text.size()) {
    std::size_t end = position;
    const std::uint32_t right = character_number(text, end);
    if (!joined(left, right)) break;
    left = right;
    position = end;
  }
  return position;
}

}  // namespace witan
