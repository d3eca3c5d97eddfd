// Numbers into fewer bits, in the two layouts that released checkpoints use. Reading them back: stored_values.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/pool.h"

namespace witan {

// How many blocks cover `size` values: the last may be cut. No sum that overflows for the sizes that a file promises.
constexpr std::int64_t num_blocks(std::int64_t size, std::int64_t block) { return size / block + (size % block != 0); }

// DeepSeek-V3's layout (DeepSeek-AI 2024, section 3.3): a scale per block of block_rows x block_cols, those at the
// edges cut, so that the block's largest magnitude becomes the largest F8_E4M3 number, 448. A value is
// values[i] * scales[its block].
struct ScaledBlocks {
  PooledVector<std::byte> values;  // [rows, cols] of F8_E4M3
  PooledVector<float> scales;      // [ceil(rows / block_rows), ceil(cols / block_cols)]; 1 for a block of zeros
};
// matrix [rows, cols], finite.
ScaledBlocks to_scaled_blocks(std::span<const float> matrix, std::int64_t rows, std::int64_t cols,
                              std::int64_t block_rows, std::int64_t block_cols);

// MXFP4 as in number_formats.h, by the rule of Open Compute Project, Microscaling Formats 1.0, section 6.3: the shared
// exponent is floor(log2(largest magnitude)) - 2, 2 being the exponent of the largest four-bit number; what is then
// beyond 6 becomes 6. Rounded to the nearest, ties to even.
struct Mxfp4Blocks {
  PooledVector<std::byte> blocks;  // 16 for every 32 values
  PooledVector<std::byte> scales;  // one for every 32 values
};
// `values`: finite, a multiple of 32 of them; a row never ends within a block if its length is one.
Mxfp4Blocks to_mxfp4(std::span<const float> values);

}  // namespace witan
