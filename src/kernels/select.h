// The largest elements of each row. Ties go to the lowest index; -inf and +inf are ordinary values; -0 equals +0.
#pragma once

#include <cstdint>
#include <span>

#include "base/views.h"

namespace witan::kernels {

// scores [T, E], 1 <= k <= E -> indices [T, k] and, unless empty, values [T, k], each row in descending order of value
// and equal values in ascending order of index. Returns the first row that holds a NaN (what stands in the results is
// then undefined), or -1.
std::int64_t top_k(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices, std::span<float> values = {});
// The same by a stable sort of each row; for tests.
std::int64_t top_k_reference(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices,
                             std::span<float> values = {});

// The largest of `values` less `prices`, the lowest index among equals, and the largest of the others (-inf when there
// are none): what a bid in an auction is made of. Neither holds a NaN; a difference may be -inf, not all of them.
struct BestTwo {
  std::int32_t index;
  float best;
  float second;
};
BestTwo best_two(std::span<const float> values, std::span<const float> prices);
BestTwo best_two_reference(std::span<const float> values, std::span<const float> prices);

}  // namespace witan::kernels
