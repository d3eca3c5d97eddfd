// Tokens and their ids: both directions, in a few blocks of memory however many tokens there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

class Vocabulary {
 public:
  // `id` is not negative. Where a token or an id comes twice, the last one counts. Memory follows the largest id: who
  // reads ids from outside checks them first.
  void add(std::string_view token, std::int32_t id);
  void reserve(std::size_t tokens, std::size_t bytes);

  std::int32_t find(std::string_view token) const;  // -1: unknown
  // The text of an id; empty for an id without a token.
  std::string_view token(std::int32_t id) const;
  bool contains(std::int32_t id) const;
  std::size_t size() const { return size_; }                                        // different tokens
  std::int32_t end_id() const { return static_cast<std::int32_t>(by_id_.size()); }  // one past the largest

 private:
  struct Range {
    std::size_t begin = 0;
    std::size_t length = 0;
    bool used = false;
  };
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;  // -1: free
    Range text;
  };

  std::string_view text(const Range& range) const { return std::string_view(bytes_).substr(range.begin, range.length); }
  std::size_t position(std::string_view token, std::uint32_t hash) const;
  void grow(std::size_t slots);

  std::string bytes_;
  std::vector<Range> by_id_;
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace witan
