// The heart of byte-pair encoding (Sennrich et al. 2016): neighbours merge in the order of the ranks of their pairs.
// Knows ids and ranks; not what a token's text is, nor where words end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text/flat_map.h"

namespace witan {

class BpeMerger {
 public:
  // What merging writes to; one per thread.
  struct Scratch {
    struct Symbol {
      std::int32_t id = 0;
      std::int32_t previous = -1;
      std::int32_t next = -1;  // -1: the last; -2: merged away
    };
    struct Candidate {
      std::uint32_t rank = 0;
      std::int32_t left = 0;  // symbol
      std::int32_t left_id = 0;
      std::int32_t right_id = 0;
      std::int32_t merged = 0;
    };
    std::vector<std::uint64_t> pairs;
    std::vector<Symbol> symbols;
    std::vector<Candidate> heap;
  };

  explicit BpeMerger(std::size_t expected = 0) : merges_(expected) {}
  // Lower ranks merge first. A pair that was added before gets the new rank.
  void add(std::int32_t left, std::int32_t right, std::uint32_t rank, std::int32_t merged) {
    merges_.set(pair(left, right), (std::uint64_t{rank} << 32) | static_cast<std::uint32_t>(merged));
  }
  // Replaces the ids from `begin` on by what they merge to; of pairs of the same rank the leftmost comes first. Fewer
  // than 2^30 ids. Time n log n.
  void merge(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const;

 private:
  static std::uint64_t pair(std::int32_t left, std::int32_t right) {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
  }
  void merge_few(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const;
  void merge_many(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const;
  void offer(Scratch& scratch, std::int32_t left) const;

  FlatMap merges_;  // pair -> rank and merged id; FlatMap::kNone is no such value and the highest rank
};

}  // namespace witan
