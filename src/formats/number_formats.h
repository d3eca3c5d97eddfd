// Numbers as tensor files store them, to and from f32: the names and sizes of safetensors' dtypes, half precision,
// bfloat16, eight-bit floats, and the four-bit blocks of MXFP4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU64, kU32, kU16, kU8, kBool, kF8E4M3, kF8E5M2 };
std::string_view dtype_name(DType dtype);  // "F32", "BF16"
std::size_t dtype_bytes(DType dtype);
std::optional<DType> find_dtype(std::string_view name);
std::vector<std::string> dtype_names();

// F32, F16 and BF16: what stands for numbers without a scale beside it.
bool is_plain_float(DType dtype);
// Little-endian values of a plain float, or of F8_E4M3 (the variant without infinities), at any alignment; `bytes`
// holds as many as `out`.
void to_floats(DType dtype, std::span<const std::byte> bytes, std::span<float> out);
// The inverse, of plain floats only: rounded to the nearest, ties to even; overflow gives an infinity.
void from_floats(DType dtype, std::span<const float> values, std::span<std::byte> bytes);

// Throws Error naming the tensor and its first finite value that would become an infinity in F16. Infinities and NaN,
// which F16 has too, pass: who stores a tensor may refuse them for every format.
void require_f16(std::string_view tensor, std::span<const float> values);

// Open Compute Project, Microscaling Formats 1.0: 32 values of four bits (sign, two bits of exponent, one of mantissa)
// share a power of two. 16 bytes per block, the low half of a byte first; `scales` holds the exponents plus 127, one
// per block. out [32 * scales.size()].
constexpr std::size_t kMxfp4Block = 32;
void mxfp4_to_floats(std::span<const std::byte> blocks, std::span<const std::byte> scales, std::span<float> out);

}  // namespace witan
