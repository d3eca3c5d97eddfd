// Attention forward: blocks of queries against blocks of keys, softmax on the way (Dao et al. 2022, algorithm 1).
#include "kernels/attention.h"

#include <limits>

#include "kernels/attention_block.h"
#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention_block-inl.h"
#include "kernels/block_product-inl.h"
#include "kernels/exp2-inl.h"

#ifndef WITAN_KERNELS_ATTENTION_CC_
#define WITAN_KERNELS_ATTENTION_CC_
namespace witan::kernels {

// A block of queries of one head, and all the keys and values of its key head, packed.
struct ForwardTask {
  const float* q;
  std::int64_t q_stride;
  std::int64_t rows;
  std::int64_t head_dim;
  float q_factor;
  const float* keys_transposed;  // blocks of [head_dim, kKeyBlock]
  const float* values;           // [keys, padded_width]
  std::int64_t keys;             // up to the last row's own
  std::int64_t window;           // of ScoreBlock
  const float* sink;             // score, or null
  float* out;
  std::int64_t out_stride;
  float* statistics;  // [rows, 2] or null
};

}  // namespace witan::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A row's top is raised when a score exceeds it by this much: seldom after the first block. Until then exponentials are
// at most 2^8, which costs no precision.
constexpr float kTopSlack = 8.0F;

// Running softmax of one row: about the largest score so far, and the sum of 2^(score - top), lane by lane.
struct RowState {
  float* tops;
  float* sums;     // [rows, kPadding]
  float* results;  // [rows, padded width]: sum of 2^(score - top) * value
  std::int64_t width;
};

// scores[row, hidden .. visible) becomes 2^(score - top), the rest of the row 0; what was summed under a lower top
// shrinks.
HWY_INLINE void soften_row(float* HWY_RESTRICT scores, std::int64_t hidden, std::int64_t visible, const RowState& state,
                           std::int64_t row) {
  std::fill_n(scores, hidden, -std::numeric_limits<float>::infinity());
  const F32 d;
  const std::int64_t n = lanes();
  const std::int64_t whole = visible / n * n;
  const auto seen = hn::FirstN(d, static_cast<std::size_t>(visible - whole));
  auto top = hn::Set(d, state.tops[row]);
  for (std::int64_t j = 0; j < whole; j += n) top = hn::Max(top, hn::LoadU(d, scores + j));
  if (whole < visible) top = hn::Max(top, hn::IfThenElse(seen, hn::LoadU(d, scores + whole), top));
  const float new_top = hn::GetLane(hn::MaxOfLanes(d, top));

  float* sums = state.sums + row * kPadding;
  auto sum = hn::LoadU(d, sums);
  if (new_top > state.tops[row] + kTopSlack) {
    const auto shrink = fast_exp2(d, hn::Set(d, state.tops[row] - new_top));
    sum = hn::Mul(sum, shrink);
    float* result = state.results + row * state.width;
    for (std::int64_t c = 0; c < state.width; c += n) {
      hn::StoreU(hn::Mul(shrink, hn::LoadU(d, result + c)), d, result + c);
    }
    state.tops[row] = new_top;
  }
  top = hn::Set(d, state.tops[row]);
  for (std::int64_t j = 0; j < whole; j += n) {
    const auto e = fast_exp2(d, hn::Sub(hn::LoadU(d, scores + j), top));
    hn::StoreU(e, d, scores + j);
    sum = hn::Add(sum, e);
  }
  std::int64_t j = whole;
  if (whole < visible) {
    const auto e = hn::IfThenElseZero(seen, fast_exp2(d, hn::Sub(hn::LoadU(d, scores + whole), top)));
    hn::StoreU(e, d, scores + whole);
    sum = hn::Add(sum, e);
    j += n;
  }
  for (; j < kKeyBlock; j += n) hn::StoreU(hn::Zero(d), d, scores + j);
  hn::StoreU(sum, d, sums);
}

void AttentionForward(const ForwardTask& task, float* scratch_memory) {
  const F32 d;
  const std::int64_t width = padded_width(task.head_dim);
  float* queries = scratch_memory;
  float* scores = queries + kQueryBlock * width;
  const RowState state{scores + kQueryBlock * kKeyBlock, scores + kQueryBlock * (kKeyBlock + 1),
                       scores + kQueryBlock * (kKeyBlock + 1 + kPadding), width};
  pack_rows(task.q, task.q_stride, task.rows, task.head_dim, task.q_factor, queries);
  std::fill_n(state.tops, task.rows, task.sink == nullptr ? -hwy::HighestValue<float>() : *task.sink * kLog2E);
  std::fill_n(state.sums, task.rows * kPadding, 0.0F);
  if (task.sink != nullptr) {  // its score is the first top
    for (std::int64_t row = 0; row < task.rows; ++row) state.sums[row * kPadding] = 1.0F;
  }
  std::fill_n(state.results, task.rows * width, 0.0F);

  // The first row sees the earliest keys.
  const std::int64_t before = task.window == 0 ? 0 : std::max<std::int64_t>(0, task.keys - task.rows + 1 - task.window);
  for (std::int64_t first = before / kKeyBlock * kKeyBlock; first < task.keys; first += kKeyBlock) {
    const ScoreBlock block{task.rows, std::min(kKeyBlock, task.keys - first), task.keys - task.rows - first,
                           task.window};
    block_product<false>({queries, width, 1}, task.keys_transposed + first * task.head_dim, kKeyBlock, scores,
                         kKeyBlock, task.rows, [&](std::int64_t, std::int64_t last_row) {
                           return TileRange{block.visible(last_row), 0, task.head_dim};
                         });
    for (std::int64_t row = 0; row < task.rows; ++row) {
      soften_row(scores + row * kKeyBlock, block.hidden(row), block.visible(row), state, row);
    }
    block_product<true>({scores, kKeyBlock, 1}, task.values + first * width, width, state.results, width, task.rows,
                        [&](std::int64_t, std::int64_t last_row) {
                          return TileRange{width, 0, block.visible(last_row)};
                        });
  }

  for (std::int64_t row = 0; row < task.rows; ++row) {
    const float inverse = 1.0F / hn::GetLane(hn::SumOfLanes(d, hn::LoadU(d, state.sums + row * kPadding)));
    scale_row<false>(state.results + row * width, task.head_dim, inverse, task.out + row * task.out_stride);
    if (task.statistics != nullptr) {
      task.statistics[2 * row] = state.tops[row];
      task.statistics[2 * row + 1] = inverse;
    }
  }
}

void AttentionPack(const float* k, const float* v, std::int64_t stride_k, std::int64_t stride_v, std::int64_t rows,
                   std::int64_t head_dim, float* keys_transposed, float* values) {
  pack_transposed(k, stride_k, rows, head_dim, keys_transposed);
  pack_rows(v, stride_v, rows, head_dim, 1.0F, values);
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace witan::kernels {
HWY_EXPORT(AttentionForward);
HWY_EXPORT(AttentionPack);

void check_attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v) {
  WITAN_ASSERT(sizes.batch >= 0 && sizes.queries >= 0 && sizes.keys >= sizes.queries && sizes.head_dim > 0);
  WITAN_ASSERT(sizes.kv_heads > 0 && sizes.heads % sizes.kv_heads == 0 && sizes.window >= 0);
  WITAN_ASSERT(q.rows == sizes.batch * sizes.queries && q.cols == sizes.heads * sizes.head_dim);
  WITAN_ASSERT(k.rows == sizes.batch * sizes.keys && k.cols == sizes.kv_heads * sizes.head_dim);
  WITAN_ASSERT(v.rows == k.rows && v.cols == k.cols);
}

void attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out,
               float* statistics) {
  check_attention(sizes, q, k, v);
  // Packing reads every key once more: it must serve a few query rows.
  constexpr std::int64_t kFewQueries = 8;
  if (statistics == nullptr && sizes.queries * sizes.group() < kFewQueries) {
    attention_direct(sizes, q, k, v, out);
    return;
  }
  const auto forward = WITAN_DISPATCH(AttentionForward);
  const auto pack = WITAN_DISPATCH(AttentionPack);
  const std::int64_t dim = sizes.head_dim;
  const std::int64_t width = padded_width(dim);
  const std::int64_t key_blocks = blocks_of(sizes.keys, kKeyBlock);
  const std::int64_t query_blocks = blocks_of(sizes.queries, kQueryBlock);
  const std::int64_t kv_count = sizes.batch * sizes.kv_heads;
  const std::int64_t keys_size = key_blocks * kKeyBlock * padded_width(dim);
  Scratch packed(2 * kv_count * keys_size);
  float* keys_transposed = packed.take(kv_count * keys_size);
  float* values = packed.take(kv_count * keys_size);
  deal(kv_count * key_blocks, kv_count * sizes.keys * dim * 8, [&](std::int64_t slot, std::int64_t slots) {
    for (std::int64_t task = slot; task < kv_count * key_blocks; task += slots) {
      const std::int64_t which = task / key_blocks;
      const std::int64_t first = task % key_blocks * kKeyBlock;
      const std::int64_t row = which / sizes.kv_heads * sizes.keys + first;
      const std::int64_t at = which % sizes.kv_heads * dim;
      pack(k.row(row) + at, v.row(row) + at, k.stride, v.stride, std::min(kKeyBlock, sizes.keys - first), dim,
           keys_transposed + which * keys_size + first * dim, values + which * keys_size + first * width);
    }
  });

  const std::int64_t head_count = sizes.batch * sizes.heads;
  const std::int64_t products = head_count * sizes.queries * sizes.keys * dim;
  deal(head_count * query_blocks, products, [&](std::int64_t slot, std::int64_t slots) {
    Scratch scratch(kQueryBlock * (2 * width + kKeyBlock + 1 + kPadding));
    float* memory = scratch.take(kQueryBlock * (2 * width + kKeyBlock + 1 + kPadding));
    for (std::int64_t task = slot; task < head_count * query_blocks; task += slots) {
      // The last block of queries sees the most keys.
      const std::int64_t first = (query_blocks - 1 - task / head_count) * kQueryBlock;
      const std::int64_t b = task % head_count / sizes.heads;
      const std::int64_t h = task % sizes.heads;
      const std::int64_t row = b * sizes.queries + first;
      const std::int64_t rows = std::min(kQueryBlock, sizes.queries - first);
      const std::int64_t kv = (b * sizes.kv_heads + h / sizes.group()) * keys_size;
      forward({q.row(row) + h * dim, q.stride, rows, dim, sizes.scale * kLog2E, keys_transposed + kv, values + kv,
               sizes.keys - sizes.queries + first + rows, sizes.window,
               sizes.sinks == nullptr ? nullptr : sizes.sinks + h, out.row(row) + h * dim, out.stride,
               statistics == nullptr ? nullptr : statistics + 2 * ((b * sizes.heads + h) * sizes.queries + first)},
              memory);
    }
  });
}

}  // namespace witan::kernels
#endif
