// Random damage to bytes, the same for the same seed: bits flipped, bytes overwritten by awkward values, pieces
// removed, repeated or moved, the end cut off.
#pragma once

#include <algorithm>
#include <string>

#include "base/random.h"

namespace witan::test {

inline std::string mutated(const std::string& original, Random& random) {
  std::string bytes = original;
  const std::uint64_t changes = 1 + random.below(4);
  for (std::uint64_t change = 0; change < changes && !bytes.empty(); ++change) {
    const auto position = static_cast<std::size_t>(random.below(bytes.size()));
    const auto length =
        static_cast<std::size_t>(random.below(std::min<std::uint64_t>(16, bytes.size() - position) + 1));
    switch (random.below(7)) {
      case 0:
        bytes[position] = static_cast<char>(bytes[position] ^ (1 << random.below(8)));
        break;
      case 1:
        bytes[position] = "\x00\xff\x7f\x80\"{}[],:09-eE\\"[random.below(18)];
        break;
      case 2:
        bytes.erase(position, length);
        break;
      case 3:
        bytes.insert(position, bytes.substr(position, length));
        break;
      case 4:
        bytes.insert(static_cast<std::size_t>(random.below(bytes.size())), bytes.substr(position, length));
        break;
      case 5:
        bytes.resize(position);
        break;
      default:
        bytes[position] = static_cast<char>(random.bits());
    }
  }
  return bytes;
}

}  // namespace witan::test
