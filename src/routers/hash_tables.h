// Tables that send keys (token ids, positions) to buckets without learning: Roller et al. 2021, section 3. Not the
// router that reads them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/tensor.h"
#include "base/random.h"

namespace witan {

// Each returns one bucket in [0, buckets) per key; the same for the same state of `random`. buckets > 0.

// Independent and uniform.
std::vector<std::int32_t> random_buckets(std::int64_t keys, std::int64_t buckets, Random& random);

// By descending count into the emptiest bucket, the lowest of several; each count is taken times U(1, 2) for the order
// alone, since without that all tables would group the keys alike.
std::vector<std::int32_t> balanced_buckets(std::span<const std::int64_t> counts, std::int64_t buckets, Random& random);

// Nearest centre of k-means (Lloyd 1982) over the rows of `embedding` [keys, D], from random rows as first centres; a
// cluster that empties restarts at the row farthest from its centre. With fewer keys than buckets, some stay empty.
std::vector<std::int32_t> clustered_buckets(const Tensor& embedding, std::int64_t buckets, Random& random);

}  // namespace witan
