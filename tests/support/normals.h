// Random numbers to compute with: the same for the same seed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace witan::test {

// Of standard deviation 1.
inline std::vector<float> normals(std::int64_t size, std::uint64_t seed, float mean = 0.0F) {
  std::vector<float> values(static_cast<std::size_t>(size));
  Random(seed).fill_normal(values, mean, 1.0F);
  return values;
}

}  // namespace witan::test
