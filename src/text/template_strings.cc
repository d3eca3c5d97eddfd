// Characters of UTF-8, one by one.
#include "text/template_strings.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "text/template_budget.h"
#include "text/unicode.h"

namespace witan {
namespace {

// What Python's strip and split take when they are not told what.
bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

// What Python's splitlines takes for the end of a line, besides "\r\n".
bool ends_line(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// A part of a text, before it is made: the text of its own, and the value that will share it.
void charge_part(std::string_view part, TemplateBudget& budget) {
  budget.visit(3);
  budget.charge(part.size());
}

std::string reversed_bytes(std::string_view text) { return {text.rbegin(), text.rend()}; }

char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Off the ends, what `goes` says of a character.
template <class Goes>
std::string strip_ends(std::string_view text, const Goes& goes, bool left, bool right) {
  std::size_t begin = 0;
  for (std::size_t position = 0; left && position < text.size(); begin = position) {
    if (!goes(next_character(text, position))) break;
  }
  std::size_t end = text.size();
  while (right && end > begin) {
    std::size_t start = end - 1;
    while (start > begin && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    std::size_t position = start;
    if (!goes(next_character(text, position))) break;
    end = start;
  }
  return std::string(text.substr(begin, end - begin));
}

}  // namespace

std::string strip_space(std::string_view text, bool left, bool right) {
  return strip_ends(text, is_python_space, left, right);
}

std::string strip_characters(std::string_view text, std::string_view set, bool left, bool right) {
  std::u32string taken;
  for (std::size_t position = 0; position < set.size();) taken += next_character(set, position);
  std::ranges::sort(taken);
  return strip_ends(
      text, [&](char32_t c) { return std::ranges::binary_search(taken, c); }, left, right);
}

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t find_last_text(std::string_view text, std::string_view part) {
  const std::size_t found = find_text(reversed_bytes(text), reversed_bytes(part));
  return found == std::string_view::npos ? found : text.size() - found - part.size();
}

std::vector<std::string> split_words(const std::string& text, std::int64_t most, bool from_right,
                                     TemplateBudget& budget) {
  struct Word {
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Word> words;
  bool inside = false;
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    const bool space = is_python_space(next_character(text, position));
    if (!space && !inside) {
      budget.visit();
      words.push_back({begin, begin});
    }
    if (!space) words.back().end = position;
    inside = !space;
  }
  const std::size_t limit = most < 0 ? words.size() : static_cast<std::size_t>(most);
  if (words.size() > limit && from_right) {
    const auto rest = words.end() - static_cast<std::ptrdiff_t>(limit) - 1;
    rest->begin = 0;
    words.erase(words.begin(), rest);
  } else if (words.size() > limit) {
    words[limit].end = text.size();
    words.resize(limit + 1);
  }
  std::vector<std::string> parts;
  for (const Word& word : words) {
    const std::string_view part = std::string_view(text).substr(word.begin, word.end - word.begin);
    charge_part(part, budget);
    parts.emplace_back(part);
  }
  return parts;
}

std::vector<std::string> split_at(std::string_view text, std::string_view by, std::int64_t most, bool from_right,
                                  TemplateBudget& budget) {
  if (by.empty()) fail("split by an empty string");
  if (from_right) {
    std::vector<std::string> parts = split_at(reversed_bytes(text), reversed_bytes(by), most, false, budget);
    for (std::string& part : parts) std::ranges::reverse(part);
    std::ranges::reverse(parts);
    return parts;
  }
  std::vector<std::string> parts;
  for (; most != 0; --most) {
    const std::size_t found = find_text(text, by);
    if (found == std::string_view::npos) break;
    charge_part(text.substr(0, found), budget);
    parts.emplace_back(text.substr(0, found));
    text.remove_prefix(found + by.size());
  }
  charge_part(text, budget);
  parts.emplace_back(text);
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keeps_ends, TemplateBudget& budget) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t end = position;
    const char32_t c = next_character(text, position);
    if (!ends_line(c)) continue;
    if (c == U'\r' && text.substr(position).starts_with('\n')) ++position;
    charge_part(text.substr(begin, position - begin), budget);
    lines.emplace_back(text.substr(begin, (keeps_ends ? position : end) - begin));
    begin = position;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::int64_t count_words(std::string_view text) {
  std::int64_t words = 0;
  bool inside = false;
  for (std::size_t position = 0; position < text.size();) {
    const bool word = is_word(next_character(text, position));
    if (word && !inside) ++words;
    inside = word;
  }
  return words;
}

std::string cased(const std::string& text, bool upper) { return upper ? upper_case(text) : lower_case(text); }

std::string capitalized(const std::string& text, bool each_word) {
  std::string result = lower_case(text);
  bool begins = true;
  for (char& c : result) {
    const bool letter = static_cast<unsigned char>(c) >= 0x80 || (c >= 'a' && c <= 'z');
    if (begins && letter) c = ascii_upper(c);
    begins = each_word ? !letter && c != '\'' : false;
  }
  return result;
}

}  // namespace witan
