// Texts by their bytes, to find which of them another text begins with. A node is a prefix, an edge a byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/flat_map.h"

namespace witan {

class ByteTrie {
 public:
  explicit ByteTrie(std::size_t expected_bytes = 0) : edges_(expected_bytes / 2) {}
  // `value` is not negative; the last one of a text counts. `text` is not empty.
  void add(std::string_view text, std::int32_t value) {
    std::uint64_t node = 0;
    for (const char c : text) {
      const std::uint64_t key = edge(node, c);
      std::uint64_t next = edges_.find(key);
      if (next == FlatMap::kNone) {
        next = values_.size();
        values_.push_back(-1);
        edges_.set(key, next);
      }
      node = next;
    }
    values_[node] = value;
  }
  // Calls found(length, value) for every entry that `text` begins with, the shortest first.
  template <class Found>
  void prefixes(std::string_view text, const Found& found) const {
    std::uint64_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = edges_.find(edge(node, text[i]));
      if (node == FlatMap::kNone) return;
      if (values_[node] >= 0) found(i + 1, values_[node]);
    }
  }

 private:
  static std::uint64_t edge(std::uint64_t node, char c) { return (node << 8) | static_cast<unsigned char>(c); }

  FlatMap edges_;
  std::vector<std::int32_t> values_ = {-1};
};

}  // namespace witan
