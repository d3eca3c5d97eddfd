// Buckets, and the bias that a table gives for them.
#include "layers/relative_positions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace witan {

void RelativeBuckets::validate() const {
  const std::int64_t exact = (bidirectional ? num_buckets / 2 : num_buckets) / 2;
  if (exact < 1) {
    fail("relative_positions: relative_attention_num_buckets={}, expected at least {}", num_buckets,
         bidirectional ? 4 : 2);
  }
  if (max_distance <= exact) {
    fail(
        "relative_positions: relative_attention_max_distance={}, expected more than the {} single distances of {} "
        "buckets",
        max_distance, exact, num_buckets);
  }
}

std::int64_t RelativeBuckets::bucket(std::int64_t relative) const {
  const std::int64_t count = bidirectional ? num_buckets / 2 : num_buckets;
  const std::int64_t first = bidirectional && relative > 0 ? count : 0;
  const std::int64_t distance = bidirectional ? std::abs(relative) : std::max<std::int64_t>(0, -relative);
  const std::int64_t exact = count / 2;
  if (distance < exact) return first + distance;
  const float octaves = std::log(static_cast<float>(distance) / static_cast<float>(exact));
  const auto range = static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const auto steps = static_cast<std::int64_t>(octaves / range * static_cast<float>(count - exact));
  return first + std::min(exact + steps, count - 1);
}

Tensor relative_bias(const RelativeBuckets& buckets, const Tensor& table, std::int64_t first_query,
                     std::int64_t queries, std::int64_t keys) {
  WITAN_ASSERT(table.rows() == buckets.num_buckets);
  const std::int64_t heads = table.cols();
  const std::int64_t distances = queries + keys - 1;
  Tensor bias = Tensor::uninitialized({heads, distances});
  for (std::int64_t i = 0; i < distances; ++i) {
    const float* values = table.matrix().row(buckets.bucket(i - (queries - 1) - first_query));
    for (std::int64_t head = 0; head < heads; ++head) bias.matrix()(head, i) = values[head];
  }
  return bias;
}

}  // namespace witan
