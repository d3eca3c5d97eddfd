// Conversions of stored numbers. Large spans are shared out to the threads.
#include "formats/number_formats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/bfloat16.h"
#include "base/error.h"
#include "base/float16.h"
#include "base/parallel.h"

namespace witan {
namespace {

constexpr std::int64_t kGrain = 1 << 16;

struct DTypeEntry {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<DTypeEntry, 15> kDTypes = {{{DType::kF64, "F64", 8},
                                                 {DType::kF32, "F32", 4},
                                                 {DType::kF16, "F16", 2},
                                                 {DType::kBF16, "BF16", 2},
                                                 {DType::kI64, "I64", 8},
                                                 {DType::kI32, "I32", 4},
                                                 {DType::kI16, "I16", 2},
                                                 {DType::kI8, "I8", 1},
                                                 {DType::kU64, "U64", 8},
                                                 {DType::kU32, "U32", 4},
                                                 {DType::kU16, "U16", 2},
                                                 {DType::kU8, "U8", 1},
                                                 {DType::kBool, "BOOL", 1},
                                                 {DType::kF8E4M3, "F8_E4M3", 1},
                                                 {DType::kF8E5M2, "F8_E5M2", 1}}};

const DTypeEntry& entry(DType dtype) {
  const auto* const found =
      std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& candidate) { return candidate.dtype == dtype; });
  WITAN_ASSERT(found != kDTypes.end());
  return *found;
}

float half_to_float(std::uint16_t bits) { return to_float(Float16{bits}); }
std::uint16_t float_to_half(float value) { return to_float16(value).bits; }
float bfloat_to_float(std::uint16_t bits) { return to_float(BFloat16{bits}); }
std::uint16_t float_to_bfloat(float value) { return to_bfloat16(value).bits; }

// Four bits of exponent (bias 7), three of fraction; no infinities, and one NaN of each sign.
float e4m3_to_float(std::uint8_t bits) {
  const int exponent = (bits >> 3) & 0xF;
  const int fraction = bits & 0x7;
  float magnitude = 0.0F;
  if (exponent == 15 && fraction == 7) {
    magnitude = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -9);
  } else {
    magnitude = std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  }
  return (bits & 0x80U) != 0 ? -magnitude : magnitude;
}

// What is beyond the largest number, 448, becomes that.
std::uint8_t float_to_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  if (std::isnan(value)) return static_cast<std::uint8_t>(sign | 0x7FU);
  const float magnitude = std::fabs(value);
  if (magnitude >= 448.0F) return static_cast<std::uint8_t>(sign | 0x7EU);
  if (magnitude < 0x1p-6F) {  // subnormal: units of 2^-9; nearbyint rounds ties to even
    return static_cast<std::uint8_t>(sign | static_cast<std::uint8_t>(std::nearbyint(magnitude * 0x1p9F)));
  }
  const std::uint32_t absolute = bits & 0x7FFFFFFFU;
  const std::uint32_t rounded = absolute + 0x7FFFFU + ((absolute >> 20) & 1U);  // may carry into the exponent
  return static_cast<std::uint8_t>(sign | ((rounded - (120U << 23)) >> 20));
}

const std::array<float, 256>& e4m3_table() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = e4m3_to_float(static_cast<std::uint8_t>(i));
    return values;
  }();
  return table;
}

template <class Convert>
void widen(std::span<const std::byte> bytes, std::span<float> out, const Convert& convert) {
  parallel_for(static_cast<std::int64_t>(out.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::uint16_t word = 0;
      std::memcpy(&word, bytes.data() + 2 * i, sizeof word);
      out[static_cast<std::size_t>(i)] = convert(word);
    }
  });
}

template <class Word, class Convert>
void narrow(std::span<const float> values, std::span<std::byte> bytes, const Convert& convert) {
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Word word = convert(values[static_cast<std::size_t>(i)]);
      std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof word, &word, sizeof word);
    }
  });
}

}  // namespace

std::string_view dtype_name(DType dtype) { return entry(dtype).name; }

std::size_t dtype_bytes(DType dtype) { return entry(dtype).bytes; }

std::optional<DType> find_dtype(std::string_view name) {
  for (const DTypeEntry& candidate : kDTypes) {
    if (candidate.name == name) return candidate.dtype;
  }
  return std::nullopt;
}

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (const DTypeEntry& candidate : kDTypes) names.emplace_back(candidate.name);
  return names;
}

bool is_plain_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

void to_floats(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  WITAN_ASSERT(bytes.size() == out.size() * dtype_bytes(dtype));
  if (out.empty()) return;
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out.data(), bytes.data(), bytes.size());
      return;
    case DType::kF16:
      widen(bytes, out, half_to_float);
      return;
    case DType::kBF16:
      widen(bytes, out, bfloat_to_float);
      return;
    default:
      break;
  }
  WITAN_ASSERT(dtype == DType::kF8E4M3);
  const std::array<float, 256>& table = e4m3_table();
  parallel_for(static_cast<std::int64_t>(out.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      out[i] = table[static_cast<std::size_t>(bytes[i])];
    }
  });
}

void from_floats(DType dtype, std::span<const float> values, std::span<std::byte> bytes) {
  WITAN_ASSERT((is_plain_float(dtype) || dtype == DType::kF8E4M3) &&
               bytes.size() == values.size() * dtype_bytes(dtype));
  if (values.empty()) return;
  if (dtype == DType::kF32) std::memcpy(bytes.data(), values.data(), bytes.size());
  if (dtype == DType::kF16) narrow<std::uint16_t>(values, bytes, float_to_half);
  if (dtype == DType::kBF16) narrow<std::uint16_t>(values, bytes, float_to_bfloat);
  if (dtype == DType::kF8E4M3) narrow<std::uint8_t>(values, bytes, float_to_e4m3);
}

void require_f16(std::string_view tensor, std::span<const float> values) {
  for (const float value : values) {
    if (std::fabs(value) >= kBeyondFloat16 && std::isfinite(value)) {
      fail("tensor '{}': {} is too large for f16, expected bf16 or f32", tensor, value);
    }
  }
}

void mxfp4_to_floats(std::span<const std::byte> blocks, std::span<const std::byte> scales, std::span<float> out) {
  constexpr std::array<float, 16> kValues = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                             -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};
  WITAN_ASSERT(2 * blocks.size() == out.size() && kMxfp4Block * scales.size() == out.size());
  constexpr std::int64_t kBlockGrain = kGrain / static_cast<std::int64_t>(kMxfp4Block);
  parallel_for(static_cast<std::int64_t>(scales.size()), kBlockGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto block = static_cast<std::size_t>(begin); block < static_cast<std::size_t>(end); ++block) {
      const float scale = std::ldexp(1.0F, static_cast<int>(scales[block]) - 127);
      const std::byte* packed = blocks.data() + block * kMxfp4Block / 2;
      float* values = out.data() + block * kMxfp4Block;
      for (std::size_t i = 0; i < kMxfp4Block / 2; ++i) {
        const auto pair = static_cast<unsigned>(packed[i]);
        values[2 * i] = kValues[pair & 0xFU] * scale;
        values[2 * i + 1] = kValues[pair >> 4] * scale;
      }
    }
  });
}

}  // namespace witan
