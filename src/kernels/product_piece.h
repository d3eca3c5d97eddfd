// A part of a product's results, as the engine cuts them, and the depth that is packed at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace witan::kernels {

// A packed right panel of AVX-512 takes 32 KiB and stays in the level-1 cache while the left tiles pass by.
inline constexpr std::int64_t kDepthBlock = 256;

struct ProductPiece {
  std::size_t product;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t first_col;
  std::int64_t cols;
};

}  // namespace witan::kernels
