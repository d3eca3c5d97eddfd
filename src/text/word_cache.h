// What words became last time: most words of a text have been seen before. A table of fixed size in which a word takes
// the place that its hash gives; longer words and words of many tokens are not kept. One per thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace witan {

class WordCache {
 public:
  static constexpr std::size_t kLongest = 31;
  static constexpr std::size_t kMostIds = 7;

  WordCache() : entries_(kEntries) {}

  // Appends the ids of a known word. `hash` is hash_of(word). False when it has to be worked out.
  bool recall(std::string_view word, std::size_t hash, std::vector<std::int32_t>& out) const {
    const Entry& entry = entries_[hash % kEntries];
    if (entry.length != word.size() || std::memcmp(entry.word.data(), word.data(), word.size()) != 0) return false;
    out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return true;
  }
  void keep(std::string_view word, std::size_t hash, std::span<const std::int32_t> ids) {
    if (word.empty() || word.size() > kLongest || ids.size() > kMostIds) return;
    Entry& entry = entries_[hash % kEntries];
    entry.length = static_cast<std::uint8_t>(word.size());
    entry.count = static_cast<std::uint8_t>(ids.size());
    std::ranges::copy(word, entry.word.begin());
    std::ranges::copy(ids, entry.ids.begin());
  }
  static std::size_t hash_of(std::string_view word) { return std::hash<std::string_view>{}(word); }

 private:
  static constexpr std::size_t kEntries = std::size_t{1} << 15;  // 2 MiB: what a core's own cache holds
  struct Entry {
    std::array<std::int32_t, kMostIds> ids{};
    std::uint8_t count = 0;
    std::uint8_t length = 0;  // 0: free
    std::array<char, kLongest> word{};
  };

  std::vector<Entry> entries_;
};

}  // namespace witan
