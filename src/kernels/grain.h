// How much work of a kernel is worth another thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace witan::kernels {

// Elements of plain arithmetic that pay for another thread: 64 KiB, some ten microseconds.
inline constexpr std::int64_t kGrain = 1 << 14;

// Rows of `cols` elements that pay for another thread, where `elements` do.
inline std::int64_t row_grain(std::int64_t cols, std::int64_t elements = kGrain) {
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(cols, 1));
}

}  // namespace witan::kernels
