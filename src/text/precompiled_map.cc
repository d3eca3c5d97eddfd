// The layout of a unit is that of Darts-clone (Yata), which SentencePiece uses.
#include "text/precompiled_map.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "text/unicode.h"

namespace witan {
namespace {

bool has_leaf(std::uint32_t unit) { return ((unit >> 8) & 1) != 0; }
std::uint32_t value(std::uint32_t unit) { return unit & 0x7FFFFFFFU; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000FFU; }
std::uint32_t offset(std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

PrecompiledMap::PrecompiledMap(std::string_view bytes, const std::string& where) {
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) fail("{}: the character map is cut short", where);
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (size > bytes.size() || size % 4 != 0 || size == 0) {
    fail("{}: the character map is broken: a trie of {} bytes in {}", where, size, bytes.size());
  }
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data(), size);
  texts_ = bytes.substr(size);
}

template <class Found>
void PrecompiledMap::prefixes(std::string_view text, const Found& found) const {
  std::size_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0) return;
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) return;
    const std::uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) return;
    const std::size_t begin = value(units_[node]);
    if (begin > texts_.size()) return;
    const std::size_t end = std::min(texts_.find('\0', begin), texts_.size());
    if (!found(Entry{i + 1, std::string_view(texts_).substr(begin, end - begin)})) return;
  }
}

std::optional<std::string_view> PrecompiledMap::shortest(std::string_view chunk) const {
  std::optional<std::string_view> text;
  prefixes(chunk, [&](const Entry& entry) {
    text = entry.text;
    return false;
  });
  return text;
}

std::optional<PrecompiledMap::Entry> PrecompiledMap::longest(std::string_view text) const {
  std::optional<Entry> last;
  prefixes(text, [&](const Entry& entry) {
    last = entry;
    return true;
  });
  return last;
}

std::string PrecompiledMap::apply(std::string_view text) const {
  constexpr std::size_t kLongestCluster = 5;
  std::string result;
  result.reserve(text.size());
  const auto append = [&](std::string_view part) { result += shortest(part).value_or(part); };
  while (!text.empty()) {
    const std::string_view cluster = text.substr(0, grapheme_length(text));
    text.remove_prefix(cluster.size());
    if (cluster.size() <= kLongestCluster && shortest(cluster)) {
      append(cluster);
      continue;
    }
    for (std::size_t begin = 0; begin < cluster.size();) {
      std::size_t end = begin;
      next_character(cluster, end);
      append(cluster.substr(begin, end - begin));
      begin = end;
    }
  }
  return result;
}

std::string decode_base64(std::string_view text, const std::string& where) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0) fail("{}: not base64: {} characters", where, text.size());
  text.remove_suffix(padding);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) fail("{}: not base64: character {}", where, static_cast<int>(c));
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> count) & 0xFF);
    }
  }
  return bytes;
}

}  // namespace witan
