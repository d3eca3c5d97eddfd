// IEEE half precision: what many fine-tuned models are stored in. Only how numbers are kept; arithmetic is done in f32.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace witan {

struct Float16 {
  std::uint16_t bits = 0;
};

// Exact.
inline float to_float(Float16 value) {
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000U} << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  const std::uint32_t fraction = value.bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

// What is as large as this rounds to an infinity.
inline constexpr float kBeyondFloat16 = 65520.0F;

// Rounded to the nearest, ties to even; exact for what was a Float16 before. NaN stays NaN.
inline Float16 to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const auto signed_bits = [sign](std::uint32_t magnitude) {
    return Float16{static_cast<std::uint16_t>(sign | magnitude)};
  };
  if (std::isnan(value)) return signed_bits(0x7E00U);
  const float magnitude = std::fabs(value);
  if (magnitude >= kBeyondFloat16) return signed_bits(0x7C00U);
  if (magnitude < 0x1p-14F) {  // subnormal: units of 2^-24; nearbyint rounds ties to even
    return signed_bits(static_cast<std::uint32_t>(std::nearbyint(magnitude * 0x1p24F)));
  }
  const std::uint32_t absolute = bits & 0x7FFFFFFFU;
  const std::uint32_t rounded = absolute + 0xFFFU + ((absolute >> 13) & 1U);  // may carry into the exponent, as it must
  return signed_bits((rounded - (112U << 23)) >> 13);
}

}  // namespace witan
