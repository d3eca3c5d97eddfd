// The learned bias of attention by relative position, in buckets. Raffel et al. 2020 (T5), section 2.1; the bucket
// boundaries are those of its Mesh TensorFlow code, which the paper leaves out. Not rotary, not absolute positions.
#pragma once

#include <cstdint>

#include "autograd/tensor.h"

namespace witan {

struct RelativeBuckets {
  std::int64_t num_buckets = 32;
  std::int64_t max_distance = 128;  // from there on all distances share the last bucket
  bool bidirectional = true;        // half of the buckets for keys behind the query; else those share bucket 0

  // Throws Error for sizes without a logarithm between the exact buckets and max_distance.
  void validate() const;
  // relative = position of the key - position of the query -> [0, num_buckets). The first half of a direction's buckets
  // are single distances, the rest grow logarithmically up to max_distance. In f32, as the reference rounds.
  std::int64_t bucket(std::int64_t relative) const;
};

// table [num_buckets, heads] -> [heads, queries + keys - 1], by distance: what is added to the score of the query at
// position first_query + i for the key at position j stands at queries - 1 - i + j. A row for each query would take as
// much memory as all scores of all heads.
Tensor relative_bias(const RelativeBuckets& buckets, const Tensor& table, std::int64_t first_query,
                     std::int64_t queries, std::int64_t keys);

}  // namespace witan
