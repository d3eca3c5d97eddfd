// Random, balanced and clustered tables.
#include "routers/hash_tables.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>

#include "autograd/ops/linear.h"
#include "base/error.h"
#include "base/index.h"
#include "base/pool.h"

namespace witan {
namespace {

constexpr int kMostRounds = 25;  // of k-means: later ones move few keys

// Distinct rows of the embedding, drawn by a partial shuffle.
Tensor first_centres(const Tensor& embedding, std::int64_t clusters, Random& random) {
  std::vector<std::int64_t> order(index(embedding.rows()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Tensor centres = Tensor::uninitialized({clusters, embedding.cols()});
  for (std::int64_t c = 0; c < clusters; ++c) {
    const auto left = static_cast<std::uint64_t>(embedding.rows() - c);
    std::swap(order[index(c)], order[index(c) + random.below(left)]);
    std::copy_n(embedding.matrix().row(order[index(c)]), embedding.cols(), centres.matrix().row(c));
  }
  return centres;
}

// The nearest centre of each row into `nearest`, and minus half the squared distance, less what is the row's own, into
// `closeness`. Whether any row changed its centre.
bool assign(const Tensor& embedding, const Tensor& centres, std::vector<std::int32_t>& nearest,
            PooledVector<float>& closeness) {
  // |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2): the largest bracket is the nearest centre.
  Tensor offsets = Tensor::uninitialized({centres.rows()});
  for (std::int64_t c = 0; c < centres.rows(); ++c) {
    const float* const centre = centres.matrix().row(c);
    offsets.values()[index(c)] = -0.5F * std::inner_product(centre, centre + centres.cols(), centre, 0.0F);
  }
  Tape off;
  const Tensor brackets = ops::linear(off, embedding.detached(), centres, offsets);
  bool changed = false;
  for (std::int64_t row = 0; row < embedding.rows(); ++row) {
    const float* const values = brackets.matrix().row(row);
    const auto best = static_cast<std::int32_t>(std::max_element(values, values + centres.rows()) - values);
    changed |= nearest[index(row)] != best;
    nearest[index(row)] = best;
    const float* const x = embedding.matrix().row(row);
    closeness[index(row)] = values[best] - 0.5F * std::inner_product(x, x + embedding.cols(), x, 0.0F);
  }
  return changed;
}

void move_centres(const Tensor& embedding, const std::vector<std::int32_t>& nearest, PooledVector<float>& closeness,
                  const Tensor& centres) {
  std::fill(centres.values().begin(), centres.values().end(), 0.0F);
  std::vector<std::int64_t> sizes(index(centres.rows()), 0);
  for (std::int64_t row = 0; row < embedding.rows(); ++row) {
    const std::int32_t c = nearest[index(row)];
    ++sizes[index(c)];
    for (std::int64_t d = 0; d < embedding.cols(); ++d) centres.matrix()(c, d) += embedding.matrix()(row, d);
  }
  for (std::int64_t c = 0; c < centres.rows(); ++c) {
    float* const centre = centres.matrix().row(c);
    if (sizes[index(c)] > 0) {
      const float share = 1.0F / static_cast<float>(sizes[index(c)]);
      for (std::int64_t d = 0; d < centres.cols(); ++d) centre[d] *= share;
      continue;
    }
    const auto farthest = std::min_element(closeness.begin(), closeness.end());
    std::copy_n(embedding.matrix().row(farthest - closeness.begin()), centres.cols(), centre);
    *farthest = std::numeric_limits<float>::infinity();  // serves one cluster only
  }
}

}  // namespace

std::vector<std::int32_t> random_buckets(std::int64_t keys, std::int64_t buckets, Random& random) {
  std::vector<std::int32_t> table(index(keys));
  for (std::int32_t& bucket : table) {
    bucket = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(buckets)));
  }
  return table;
}

std::vector<std::int32_t> balanced_buckets(std::span<const std::int64_t> counts, std::int64_t buckets, Random& random) {
  WITAN_ASSERT(buckets > 0);
  std::vector<double> priority(counts.size());
  for (std::size_t key = 0; key < counts.size(); ++key) {
    // Keys that never occur are spread like those that occur once.
    priority[key] = static_cast<double>(std::max<std::int64_t>(counts[key], 1)) * (1.0 + random.uniform_open());
  }
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return priority[a] > priority[b]; });

  using Load = std::pair<std::int64_t, std::int32_t>;  // count, bucket
  std::priority_queue<Load, std::vector<Load>, std::greater<>> emptiest;
  for (std::int32_t bucket = 0; bucket < buckets; ++bucket) emptiest.emplace(0, bucket);
  std::vector<std::int32_t> table(counts.size());
  for (const std::size_t key : order) {
    const auto [load, bucket] = emptiest.top();
    emptiest.pop();
    table[key] = bucket;
    emptiest.emplace(load + std::max<std::int64_t>(counts[key], 1), bucket);
  }
  return table;
}

std::vector<std::int32_t> clustered_buckets(const Tensor& embedding, std::int64_t buckets, Random& random) {
  WITAN_ASSERT(buckets > 0);
  std::vector<std::int32_t> nearest(index(embedding.rows()), -1);
  if (nearest.empty()) return nearest;
  const Tensor centres = first_centres(embedding, std::min(buckets, embedding.rows()), random);
  PooledVector<float> closeness(nearest.size());
  for (int round = 0; assign(embedding, centres, nearest, closeness) && round < kMostRounds; ++round) {
    move_centres(embedding, nearest, closeness, centres);
  }
  return nearest;
}

}  // namespace witan
