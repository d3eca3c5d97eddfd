// One pass over the matrix per round: rows are scaled to their marginal, and their sums down the columns taken at once.
#include "routers/sinkhorn_scaling.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/index.h"
#include "base/parallel.h"

namespace witan {
namespace {

constexpr std::int64_t kBlock = 512;  // rows of one partial sum: fixed, so that threads do not change the result
constexpr std::size_t kLanes = 16;    // partial sums of a dot product, which then vectorises
constexpr float kLeast = 1e-20F;
constexpr float kMost = 1e20F;

float dot(const float* a, const float* b, std::size_t count) {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < count; ++i) sums[i % kLanes] += a[i] * b[i];
  float sum = 0.0F;
  for (const float lane : sums) sum += lane;
  return sum;
}

}  // namespace

SinkhornScaling sinkhorn_scaling(ConstMatrix kernel, std::span<const std::uint8_t> row_mask,
                                 const SinkhornOptions& options) {
  const auto experts = index(kernel.cols);
  SinkhornScaling scaling{PooledVector<float>(index(kernel.rows), 0.0F), PooledVector<float>(experts, 1.0F)};
  const auto masked = std::count(row_mask.begin(), row_mask.end(), std::uint8_t{0});
  if (kernel.rows == masked) return scaling;
  const float row_sum = 1.0F / static_cast<float>(kernel.rows - masked);
  const float column_sum = 1.0F / static_cast<float>(experts);

  const std::int64_t blocks = (kernel.rows + kBlock - 1) / kBlock;
  PooledVector<float> partial(index(blocks) * experts);
  PooledVector<float> sums(experts);
  for (;;) {
    parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        float* const down = partial.data() + index(block) * experts;
        std::fill_n(down, experts, 0.0F);
        for (std::int64_t row = block * kBlock; row < std::min(kernel.rows, (block + 1) * kBlock); ++row) {
          if (!row_mask.empty() && row_mask[index(row)] == 0) continue;
          const float* const k = kernel.row(row);
          const float factor = std::clamp(row_sum / dot(k, scaling.columns.data(), experts), kLeast, kMost);
          scaling.rows[index(row)] = factor;
          for (std::size_t e = 0; e < experts; ++e) down[e] += k[e] * factor;
        }
      }
    });
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (std::size_t e = 0; e < experts; ++e) sums[e] += partial[index(block) * experts + e];
    }
    scaling.residual = 0.0F;
    for (std::size_t e = 0; e < experts; ++e) {
      scaling.residual = std::max(scaling.residual, std::fabs(scaling.columns[e] * sums[e] / column_sum - 1.0F));
    }
    if (scaling.residual < options.tolerance || scaling.rounds == options.max_rounds) return scaling;
    for (std::size_t e = 0; e < experts; ++e) {
      scaling.columns[e] = std::clamp(column_sum / std::max(sums[e], kLeast), kLeast, kMost);
    }
    ++scaling.rounds;
  }
}

}  // namespace witan
