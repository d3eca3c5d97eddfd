// A part of a product's results, as the engine cuts them, and what a thread needs to compute it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace witan::kernels {

// The most depth that is packed at once. A packed right panel of AVX-512 then takes 64 KiB, which the level-2 cache
// delivers as fast as the registers consume it, and fewer blocks visit the results fewer times.
inline constexpr std::int64_t kDepthBlock = 512;

// Up to this many rows times bf16 or f16, reading the weights takes longer than the arithmetic on them.
inline constexpr std::int64_t kFewRows = 4;

struct ProductPiece {
  std::size_t product;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t first_col;
  std::int64_t cols;
  bool stream;  // results go past the caches
};

// Scratch memory of a thread.
struct PieceScratch {
  float* left = nullptr;        // the packed left operand of the piece's rows
  float* right = nullptr;       // one packed panel
  const char** rows = nullptr;  // where the next panel and the next left operand will be read
  const char** next_left = nullptr;
};

}  // namespace witan::kernels
