// The upper half of an f32: what models are released in. Only how numbers are kept; arithmetic is done in f32.
#pragma once

#include <bit>
#include <cstdint>

namespace witan {

struct BFloat16 {
  std::uint16_t bits = 0;
};

inline float to_float(float value) { return value; }
inline float to_float(BFloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

// Rounded to the nearest, ties to even; exact for what was a BFloat16 before. NaN stays NaN.
inline BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

}  // namespace witan
