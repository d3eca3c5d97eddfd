// Where byte-pair encoding may be cut without changing its result: between two characters that stand side by side in no
// token that a merge makes. Text without word borders (SentencePiece's) falls into words that way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/flat_map.h"

namespace witan {

class MergeBorders {
 public:
  MergeBorders() : ascii_(kAscii * kAscii / 64) {}
  // A token that merging can make.
  void add_token(std::string_view token);
  // Bytes up to the first place where `text` may be cut; all of it when there is none. `text` is not empty; bytes that
  // are not UTF-8 count as characters that stand in no token.
  std::size_t word_length(std::string_view text) const;

 private:
  static constexpr std::size_t kAscii = 128;

  bool joined(std::uint32_t left, std::uint32_t right) const;

  std::vector<std::uint64_t> ascii_;  // a bit for each pair
  FlatMap others_;                    // pairs of characters as the numbers that their bytes make
};

}  // namespace witan
