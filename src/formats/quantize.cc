// Scales from the largest magnitude of each block, then rounding.
#include "formats/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"
#include "formats/number_formats.h"

namespace witan {
namespace {

constexpr float kLargestE4M3 = 448.0F;
constexpr int kLargestE2M1Exponent = 2;  // of 6 = 1.5 * 2^2
constexpr int kScaleBias = 127;

// The four bits of a number that was divided by its scale.
unsigned to_e2m1(float value) {
  // Half way between two neighbours lies with the one of even mantissa.
  constexpr std::array<float, 7> kAbove = {0.25F, 0.75F, 1.25F, 1.75F, 2.5F, 3.5F, 5.0F};
  constexpr std::array<bool, 7> kTieGoesUp = {false, true, false, true, false, true, false};
  const float magnitude = std::fabs(value);
  unsigned code = 0;
  for (std::size_t i = 0; i < kAbove.size(); ++i) {
    if (magnitude > kAbove[i] || (kTieGoesUp[i] && magnitude == kAbove[i])) code = static_cast<unsigned>(i) + 1;
  }
  return code | (std::signbit(value) ? 8U : 0U);
}

}  // namespace

ScaledBlocks to_scaled_blocks(std::span<const float> matrix, std::int64_t rows, std::int64_t cols,
                              std::int64_t block_rows, std::int64_t block_cols) {
  WITAN_ASSERT(static_cast<std::int64_t>(matrix.size()) == rows * cols && block_rows > 0 && block_cols > 0);
  const std::int64_t down = num_blocks(rows, block_rows);
  const std::int64_t across = num_blocks(cols, block_cols);
  ScaledBlocks result{PooledVector<std::byte>(matrix.size()),
                      PooledVector<float>(static_cast<std::size_t>(down * across))};
  if (matrix.empty()) return result;  // of rows without columns there may be more than can be counted through
  parallel_for(down, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> scaled(static_cast<std::size_t>(cols));
    for (std::int64_t block_row = begin; block_row < end; ++block_row) {
      float* const scales = result.scales.data() + block_row * across;
      std::fill_n(scales, across, 0.0F);
      const std::int64_t last = std::min(rows, (block_row + 1) * block_rows);
      for (std::int64_t row = block_row * block_rows; row < last; ++row) {
        const float* const values = matrix.data() + row * cols;
        for (std::int64_t col = 0; col < cols; ++col) {
          scales[col / block_cols] = std::max(scales[col / block_cols], std::fabs(values[col]));
        }
      }
      for (std::int64_t i = 0; i < across; ++i) {
        // A scale below f32's normal numbers would lose the bits that it is to keep.
        scales[i] = scales[i] == 0.0F ? 1.0F : std::max(scales[i] / kLargestE4M3, std::numeric_limits<float>::min());
      }
      for (std::int64_t row = block_row * block_rows; row < last; ++row) {
        const float* const values = matrix.data() + row * cols;
        for (std::int64_t col = 0; col < cols; ++col) {
          scaled[static_cast<std::size_t>(col)] = values[col] / scales[col / block_cols];
        }
        from_floats(DType::kF8E4M3, scaled,
                    std::span(result.values).subspan(static_cast<std::size_t>(row * cols), scaled.size()));
      }
    }
  });
  return result;
}

Mxfp4Blocks to_mxfp4(std::span<const float> values) {
  WITAN_ASSERT(values.size() % kMxfp4Block == 0);
  const std::size_t count = values.size() / kMxfp4Block;
  Mxfp4Blocks result{PooledVector<std::byte>(values.size() / 2), PooledVector<std::byte>(count)};
  constexpr std::int64_t kBlockGrain = 1 << 11;
  parallel_for(static_cast<std::int64_t>(count), kBlockGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto block = static_cast<std::size_t>(begin); block < static_cast<std::size_t>(end); ++block) {
      const std::span<const float> in = values.subspan(block * kMxfp4Block, kMxfp4Block);
      float largest = 0.0F;
      for (const float value : in) largest = std::max(largest, std::fabs(value));
      const int exponent =
          largest == 0.0F ? -kScaleBias : std::max(std::ilogb(largest) - kLargestE2M1Exponent, -kScaleBias);
      result.scales[block] = static_cast<std::byte>(exponent + kScaleBias);
      for (std::size_t i = 0; i < kMxfp4Block; i += 2) {
        const unsigned low = to_e2m1(std::ldexp(in[i], -exponent));
        const unsigned high = to_e2m1(std::ldexp(in[i + 1], -exponent));
        result.blocks[block * kMxfp4Block / 2 + i / 2] = static_cast<std::byte>(low | (high << 4));
      }
    }
  });
  return result;
}

}  // namespace witan
