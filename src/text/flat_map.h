// A hash map from 64-bit keys to 64-bit values in one block of memory: filled once, then only read. Linear probing at a
// load of at most one half; no erasing, no iteration.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace witan {

class FlatMap {
 public:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};  // no key, and what find() says of an unknown one

  explicit FlatMap(std::size_t expected = 0) { grow_to(std::bit_ceil(2 * expected + 8)); }

  // The value of a key that is there already is replaced. `key` is not kNone.
  void set(std::uint64_t key, std::uint64_t value) {
    if (2 * (size_ + 1) > slots_.size()) grow_to(2 * slots_.size());
    Slot& slot = slots_[position(key)];
    if (slot.key == kNone) ++size_;
    slot = {key, value};
  }
  std::uint64_t find(std::uint64_t key) const { return slots_[position(key)].value; }
  bool contains(std::uint64_t key) const { return slots_[position(key)].key != kNone; }

 private:
  struct Slot {
    std::uint64_t key = kNone;
    std::uint64_t value = kNone;
  };

  // Of the key, or of the free place where it belongs. The multiplier is 2^64 over the golden ratio.
  std::size_t position(std::uint64_t key) const {
    std::size_t index = ((key ^ (key >> 32)) * 0x9E3779B97F4A7C15ULL) >> shift_;
    while (slots_[index].key != key && slots_[index].key != kNone) index = (index + 1) & (slots_.size() - 1);
    return index;
  }
  void grow_to(std::size_t count) {
    std::vector<Slot> old(count);
    old.swap(slots_);
    shift_ = 64U - static_cast<unsigned>(std::countr_zero(count));
    for (const Slot& slot : old) {
      if (slot.key != kNone) slots_[position(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  unsigned shift_ = 0;
};

}  // namespace witan
