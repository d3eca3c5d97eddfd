// Both ways from matrix products, one per head or some heads.
#include "layers/cached_latents.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/attention.h"
#include "kernels/gemm.h"
#include "kernels/softmax.h"

namespace witan {
namespace {

using kernels::Op;

constexpr std::int64_t kMostFloats = std::int64_t{1} << 23;  // of what is made on the way, at a time: 32 MB
constexpr std::int64_t kGrainCopies = 1 << 14;               // numbers moved that are worth a thread

void check_latents(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries, const Tensor& projection) {
  WITAN_ASSERT(queries.cols() == heads.heads * heads.width && queries.rows() <= entries.rows);
  WITAN_ASSERT(heads.width >= heads.rotary + heads.plain && heads.width >= heads.values);
  WITAN_ASSERT(entries.cols == heads.latent + heads.rotary);
  WITAN_ASSERT(projection.rows() == heads.heads * (heads.plain + heads.values) && projection.cols() == heads.latent);
}

ConstMatrix latents_of(const LatentHeads& heads, ConstMatrix entries) {
  return {entries.data, entries.rows, heads.latent, entries.stride};
}

// Some rows of the projection: themselves when they are f32, else widened into `room`.
ConstMatrix wide_rows(const Tensor& projection, std::int64_t first, std::int64_t count, PooledVector<float>& room) {
  const std::int64_t cols = projection.cols();
  return projection.visit_matrix([&]<class T>(const MatrixView<T>& rows) -> ConstMatrix {
    if constexpr (std::is_same_v<T, float>) {
      return {rows.row(first), count, cols};
    } else {
      room.resize(static_cast<std::size_t>(count * cols));
      std::transform(rows.row(first), rows.row(first + count), room.begin(), [](T value) { return to_float(value); });
      return {room.data(), count, cols};
    }
  });
}

// Queries that score entries directly: row i * heads + h is query i of head h, [n * heads, latent + rotary].
Tensor absorbed_queries(const LatentHeads& heads, const Tensor& queries, const Tensor& projection) {
  const std::int64_t width = heads.latent + heads.rotary;
  const std::int64_t n = queries.rows();
  Tensor absorbed = Tensor::uninitialized({n * heads.heads, width});
  parallel_for(heads.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> room;
    for (std::int64_t h = begin; h < end; ++h) {
      const ConstMatrix to_key = wide_rows(projection, h * (heads.plain + heads.values), heads.plain, room);
      const float* query = queries.data() + h * heads.width;
      float* row = absorbed.data() + h * width;
      kernels::gemm(Op::kPlain, Op::kPlain, {query + heads.rotary, n, heads.plain, queries.cols()}, to_key, 0.0F,
                    {row, n, heads.latent, heads.heads * width});
      for (std::int64_t i = 0; i < n; ++i) {
        std::copy_n(query + i * queries.cols(), heads.rotary, row + i * heads.heads * width + heads.latent);
      }
    }
  });
  return absorbed;
}

// scores [rows, seen] of `heads` rows for each query, the first at `position`, over entries from `before` on: scaled,
// and -inf where a query does not look.
void mask_scores(const LatentHeads& heads, std::int64_t position, std::int64_t before, Matrix scores) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainCopies / std::max<std::int64_t>(1, scores.cols));
  parallel_for(scores.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t own = position + r / heads.heads;
      const std::int64_t first = heads.window > 0 ? std::max(before, own - heads.window + 1) : before;
      float* row = scores.row(r);
      std::fill(row, row + (first - before), kHidden);
      std::transform(row + (first - before), row + (own + 1 - before), row + (first - before),
                     [&](float score) { return score * heads.scale; });
      std::fill(row + (own + 1 - before), row + scores.cols, kHidden);
    }
  });
}

}  // namespace

Tensor attend_absorbed(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries, const Tensor& projection) {
  check_latents(heads, queries, entries, projection);
  const std::int64_t n = queries.rows();
  const std::int64_t past = entries.rows - n;
  const Tensor absorbed = absorbed_queries(heads, queries, projection);
  const Tensor mixed = Tensor::uninitialized({n * heads.heads, heads.latent});
  const std::int64_t together = std::max<std::int64_t>(1, kMostFloats / (heads.heads * entries.rows));
  for (std::int64_t first = 0; first < n; first += together) {
    const std::int64_t count = std::min(together, n - first);
    const std::int64_t before = heads.window > 0 ? std::max<std::int64_t>(0, past + first + 1 - heads.window) : 0;
    const ConstMatrix seen(entries.row(before), past + first + count - before, entries.cols, entries.stride);
    const std::int64_t rows = count * heads.heads;
    const Tensor scores = Tensor::uninitialized({rows, seen.rows});
    kernels::gemm(Op::kPlain, Op::kTransposed, {absorbed.matrix().row(first * heads.heads), rows, entries.cols}, seen,
                  0.0F, scores.matrix());
    mask_scores(heads, past + first, before, scores.matrix());
    kernels::softmax(scores.matrix(), scores.matrix());
    kernels::gemm(Op::kPlain, Op::kPlain, scores.matrix(), latents_of(heads, seen), 0.0F,
                  {mixed.matrix().row(first * heads.heads), rows, heads.latent});
  }
  Tensor result = Tensor::uninitialized({n, heads.heads * heads.values});
  parallel_for(heads.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> room;
    for (std::int64_t h = begin; h < end; ++h) {
      const std::int64_t rows_before = h * (heads.plain + heads.values) + heads.plain;
      const ConstMatrix to_value = wide_rows(projection, rows_before, heads.values, room);
      kernels::gemm(Op::kPlain, Op::kTransposed,
                    {mixed.data() + h * heads.latent, n, heads.latent, heads.heads * heads.latent}, to_value, 0.0F,
                    {result.data() + h * heads.values, n, heads.values, result.cols()});
    }
  });
  return result;
}

Tensor attend_expanded(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries, const Tensor& projection) {
  check_latents(heads, queries, entries, projection);
  const std::int64_t n = queries.rows();
  const std::int64_t total = entries.rows;
  const std::int64_t made = heads.plain + heads.values;
  const std::int64_t together =
      std::clamp<std::int64_t>(kMostFloats / (total * (made + 2 * heads.width)), 1, heads.heads);
  Tensor result = Tensor::uninitialized({n, heads.heads * heads.values});
  for (std::int64_t first = 0; first < heads.heads; first += together) {
    const std::int64_t count = std::min(together, heads.heads - first);
    const Tensor both = Tensor::uninitialized({total, count * made});
    projection.visit_matrix([&]<class T>(const MatrixView<T>& matrix) {
      const MatrixView<const T> rows(matrix.row(first * made), count * made, heads.latent);
      kernels::gemm(latents_of(heads, entries), rows, both.matrix());
    });
    const Tensor keys = Tensor::zeros({total, count * heads.width});
    const Tensor values = Tensor::zeros({total, count * heads.width});
    const std::int64_t grain = std::max<std::int64_t>(1, kGrainCopies / keys.cols());
    parallel_for(total, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t h = 0; h < count; ++h) {
          const float* from = both.matrix().row(row) + h * made;
          float* key = keys.matrix().row(row) + h * heads.width;
          std::copy_n(entries.row(row) + heads.latent, heads.rotary, key);
          std::copy_n(from, heads.plain, key + heads.rotary);
          std::copy_n(from + heads.plain, heads.values, values.matrix().row(row) + h * heads.width);
        }
      }
    });
    const kernels::AttentionSizes sizes{.queries = n,
                                        .keys = total,
                                        .heads = count,
                                        .kv_heads = count,
                                        .head_dim = heads.width,
                                        .scale = heads.scale,
                                        .window = heads.window};
    const Tensor out = Tensor::uninitialized({n, count * heads.width});
    kernels::attention(sizes, {queries.data() + first * heads.width, n, count * heads.width, queries.cols()},
                       keys.matrix(), values.matrix(), out.matrix(), nullptr);
    for (std::int64_t row = 0; row < n; ++row) {
      for (std::int64_t h = 0; h < count; ++h) {
        std::copy_n(out.matrix().row(row) + h * heads.width, heads.values,
                    result.matrix().row(row) + (first + h) * heads.values);
      }
    }
  }
  return result;
}

Tensor attend_to_latents(const LatentHeads& heads, const Tensor& queries, ConstMatrix entries,
                         const Tensor& projection) {
  const auto n = static_cast<double>(queries.rows());
  const auto total = static_cast<double>(entries.rows);
  const auto latent = static_cast<double>(heads.latent);
  const auto made = static_cast<double>(heads.plain + heads.values);
  // Per head: keys and values of the past, against scores and mixtures as wide as a latent. What the new rows cost by
  // themselves is the same both ways.
  const double past_made_again = (total - n) * latent * made;
  const double wider_products = n * total * (2.0 * latent - made);
  return wider_products < past_made_again ? attend_absorbed(heads, queries, entries, projection)
                                          : attend_expanded(heads, queries, entries, projection);
}

}  // namespace witan
