// Attention backward: scores are computed again block by block (Dao et al. 2022, algorithm 4). One task owns the keys
// of a key head (or every n-th block of them, when there are few heads) and with them dk and dv; where tasks share a
// query head, each sums its own dq and the sums are added in order.
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

#ifndef WITAN_KERNELS_ATTENTION_BACKWARD_CC_
#define WITAN_KERNELS_ATTENTION_BACKWARD_CC_
namespace witan::kernels {

// One block of queries against one block of keys, all packed: rows of padded_width, transposed blocks of
// [head_dim, kKeyBlock]. Gradients are added to; null: not wanted.
struct BackwardBlock {
  std::int64_t rows;
  std::int64_t keys;
  std::int64_t shift;   // of ScoreBlock
  std::int64_t window;  // the same
  std::int64_t head_dim;
  const float* q;           // times scale / ln 2
  const float* dout;        // over the sum of the row's exponentials
  const float* delta;       // [rows]: dout . out, over the same sum
  const float* statistics;  // [rows, 2]
  const float* k;
  const float* k_transposed;
  const float* v_transposed;
  float* dq;  // times 1 / scale
  float* dk;  // times 1 / ln 2
  float* dv;
  float* scores;   // scratch, [kQueryBlock, kKeyBlock]
  float* dscores;  // the same
};

}  // namespace witan::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// scores become e = 2^(score - top), dscores become e * (dscore - delta); both 0 where the key is not seen.
HWY_INLINE void differentiate_row(float* HWY_RESTRICT scores, float* HWY_RESTRICT dscores, std::int64_t hidden,
                                  std::int64_t visible, float row_top, float row_delta) {
  std::fill_n(scores, hidden, -std::numeric_limits<float>::infinity());
  const F32 d;
  const std::int64_t n = lanes();
  const auto top = hn::Set(d, row_top);
  const auto delta = hn::Set(d, row_delta);
  const std::int64_t whole = visible / n * n;
  std::int64_t j = 0;
  for (; j < whole; j += n) {
    const auto e = fast_exp2(d, hn::Sub(hn::LoadU(d, scores + j), top));
    hn::StoreU(e, d, scores + j);
    hn::StoreU(hn::Mul(e, hn::Sub(hn::LoadU(d, dscores + j), delta)), d, dscores + j);
  }
  if (whole < visible) {
    const auto seen = hn::FirstN(d, static_cast<std::size_t>(visible - whole));
    const auto e = hn::IfThenElseZero(seen, fast_exp2(d, hn::Sub(hn::LoadU(d, scores + j), top)));
    const auto de = hn::IfThenElseZero(seen, hn::Mul(e, hn::Sub(hn::LoadU(d, dscores + j), delta)));
    hn::StoreU(e, d, scores + j);
    hn::StoreU(de, d, dscores + j);
    j += n;
  }
  for (; j < kKeyBlock; j += n) {
    hn::StoreU(hn::Zero(d), d, scores + j);
    hn::StoreU(hn::Zero(d), d, dscores + j);
  }
}

void AttentionBackwardBlock(const BackwardBlock& task) {
  const ScoreBlock block{task.rows, task.keys, task.shift, task.window};
  const std::int64_t width = padded_width(task.head_dim);
  const auto seen_columns = [&](std::int64_t, std::int64_t last_row) {
    return TileRange{block.visible(last_row), 0, task.head_dim};
  };
  const auto seeing_rows = [&](std::int64_t first_key, std::int64_t) {
    return TileRange{width, block.first_row(first_key), task.rows};
  };
  block_product<false>({task.q, width, 1}, task.k_transposed, kKeyBlock, task.scores, kKeyBlock, task.rows,
                       seen_columns);
  block_product<false>({task.dout, width, 1}, task.v_transposed, kKeyBlock, task.dscores, kKeyBlock, task.rows,
                       seen_columns);
  for (std::int64_t row = 0; row < task.rows; ++row) {
    differentiate_row(task.scores + row * kKeyBlock, task.dscores + row * kKeyBlock, block.hidden(row),
                      block.visible(row), task.statistics[2 * row], task.delta[row]);
  }
  if (task.dv != nullptr) {
    block_product<true>({task.scores, 1, kKeyBlock}, task.dout, width, task.dv, width, task.keys, seeing_rows);
  }
  if (task.dk != nullptr) {
    block_product<true>({task.dscores, 1, kKeyBlock}, task.q, width, task.dk, width, task.keys, seeing_rows);
  }
  if (task.dq != nullptr) {
    block_product<true>({task.dscores, kKeyBlock, 1}, task.k, width, task.dq, width, task.rows,
                        [&](std::int64_t, std::int64_t last_row) {
                          return TileRange{width, 0, block.visible(last_row)};
                        });
  }
}

void AttentionPackKeys(const float* k, const float* v, std::int64_t k_stride, std::int64_t v_stride, std::int64_t rows,
                       std::int64_t head_dim, float* packed_k, float* k_transposed, float* v_transposed) {
  pack_rows(k, k_stride, rows, head_dim, 1.0F, packed_k);
  pack_transposed(k, k_stride, rows, head_dim, k_transposed);
  pack_transposed(v, v_stride, rows, head_dim, v_transposed);
}

void AttentionPackQueries(const float* q, const float* dout, const float* out, std::int64_t q_stride,
                          std::int64_t dout_stride, std::int64_t out_stride, const float* statistics, std::int64_t rows,
                          std::int64_t head_dim, float q_factor, float* packed_q, float* packed_dout, float* delta) {
  const std::int64_t width = padded_width(head_dim);
  pack_rows(q, q_stride, rows, head_dim, q_factor, packed_q);
  for (std::int64_t row = 0; row < rows; ++row) {
    pack_rows(dout + row * dout_stride, dout_stride, 1, head_dim, statistics[2 * row + 1], packed_dout + row * width);
    delta[row] = dot(packed_dout + row * width, out + row * out_stride, head_dim);
  }
}

void AttentionUnpack(const float* in, std::int64_t rows, std::int64_t cols, float factor, float* out,
                     std::int64_t out_stride, bool accumulate) {
  unpack_rows(in, rows, cols, factor, out, out_stride, accumulate);
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace witan::kernels {
HWY_EXPORT(AttentionBackwardBlock);
HWY_EXPORT(AttentionPackKeys);
HWY_EXPORT(AttentionPackQueries);
HWY_EXPORT(AttentionUnpack);
namespace {

// Into how many tasks the keys of one key head are split, so that the threads get equal shares.
std::int64_t key_splits(const AttentionSizes& sizes) {
  const std::int64_t heads = sizes.batch * sizes.kv_heads;
  const std::int64_t threads = num_threads();
  const std::int64_t most = blocks_of(sizes.keys, kKeyBlock);
  std::int64_t splits = 1;
  while (splits < most && heads * splits < 4 * threads && heads * splits % threads != 0) ++splits;
  return splits;
}

// Early keys are seen by more queries: blocks are dealt forth and back, 0 1 2 2 1 0 0 1 2 ...
std::int64_t owner_of(std::int64_t key_block, std::int64_t splits) {
  const std::int64_t turn = key_block % (2 * splits);
  return turn < splits ? turn : 2 * splits - 1 - turn;
}

struct Backward {
  const AttentionSizes& sizes;
  ConstMatrix dout, q, k, v, out;
  const float* statistics;
  GradientView dq, dk, dv;
  std::int64_t splits;
  float* dq_sums;  // [splits, batch * heads, queries, width] when splits > 1

  std::int64_t dim = sizes.head_dim;
  std::int64_t width = padded_width(dim);
  std::int64_t key_blocks = blocks_of(sizes.keys, kKeyBlock);
  std::int64_t query_size = blocks_of(sizes.queries, kQueryBlock) * kQueryBlock * width;
  std::int64_t key_size = key_blocks * kKeyBlock * width;

  std::int64_t scratch_size() const {
    return 3 * query_size + query_size / width + 5 * key_size + 2 * kQueryBlock * kKeyBlock;
  }

  // The keys of key head kv % kv_heads of sequence kv / kv_heads that belong to `split`.
  void run(std::int64_t kv, std::int64_t split) const {
    const auto pack_keys = WITAN_DISPATCH(AttentionPackKeys);
    const auto pack_queries = WITAN_DISPATCH(AttentionPackQueries);
    const auto unpack = WITAN_DISPATCH(AttentionUnpack);
    const auto backward_block = WITAN_DISPATCH(AttentionBackwardBlock);
    Scratch scratch(scratch_size());
    float* packed_q = scratch.take(query_size);
    float* packed_dout = scratch.take(query_size);
    float* own_dq = scratch.take(query_size);
    float* delta = scratch.take(query_size / width);
    float* packed_k = scratch.take(key_size);
    float* k_transposed = scratch.take(key_size);
    float* v_transposed = scratch.take(key_size);
    float* dk_sum = scratch.take(key_size);
    float* dv_sum = scratch.take(key_size);
    float* scores = scratch.take(kQueryBlock * kKeyBlock);
    float* dscores = scratch.take(kQueryBlock * kKeyBlock);

    const std::int64_t b = kv / sizes.kv_heads;
    const std::int64_t kv_head = kv % sizes.kv_heads;
    const std::int64_t first_row = b * sizes.queries;
    const std::int64_t first_key = b * sizes.keys;
    for (std::int64_t j = 0; j < key_blocks; ++j) {
      if (owner_of(j, splits) != split) continue;
      const std::int64_t at = j * kKeyBlock;
      pack_keys(k.row(first_key + at) + kv_head * dim, v.row(first_key + at) + kv_head * dim, k.stride, v.stride,
                std::min(kKeyBlock, sizes.keys - at), dim, packed_k + at * width, k_transposed + at * dim,
                v_transposed + at * dim);
    }
    std::fill_n(dk_sum, key_size, 0.0F);
    std::fill_n(dv_sum, key_size, 0.0F);

    for (std::int64_t h = kv_head * sizes.group(); h < (kv_head + 1) * sizes.group(); ++h) {
      const float* row_statistics = statistics + 2 * (b * sizes.heads + h) * sizes.queries;
      float* dq_sum = splits == 1
                          ? own_dq
                          : dq_sums + (split * sizes.batch * sizes.heads + b * sizes.heads + h) * sizes.queries * width;
      pack_queries(q.row(first_row) + h * dim, dout.row(first_row) + h * dim, out.row(first_row) + h * dim, q.stride,
                   dout.stride, out.stride, row_statistics, sizes.queries, dim, sizes.scale * kLog2E, packed_q,
                   packed_dout, delta);
      std::fill_n(dq_sum, sizes.queries * width, 0.0F);
      for (std::int64_t j = 0; j < key_blocks; ++j) {
        if (owner_of(j, splits) != split) continue;
        const std::int64_t key = j * kKeyBlock;
        const std::int64_t hidden = sizes.keys - sizes.queries;  // queries see this many keys before their own
        const std::int64_t first_block = std::max<std::int64_t>(0, key - hidden) / kQueryBlock;
        const std::int64_t last_key = std::min(key + kKeyBlock, sizes.keys) - 1;
        for (std::int64_t row = first_block * kQueryBlock; row < sizes.queries; row += kQueryBlock) {
          if (sizes.first_seen(hidden + row) > last_key) break;
          backward_block({std::min(kQueryBlock, sizes.queries - row), std::min(kKeyBlock, sizes.keys - key),
                          hidden + row - key, sizes.window, dim, packed_q + row * width, packed_dout + row * width,
                          delta + row, row_statistics + 2 * row, packed_k + key * width, k_transposed + key * dim,
                          v_transposed + key * dim, dq.wanted() ? dq_sum + row * width : nullptr,
                          dk.wanted() ? dk_sum + key * width : nullptr, dv.wanted() ? dv_sum + key * width : nullptr,
                          scores, dscores});
        }
      }
      if (h + 1 == (kv_head + 1) * sizes.group()) store_keys(b, kv_head, split, dk_sum, dv_sum);
      if (splits == 1 && dq.wanted()) {
        unpack(dq_sum, sizes.queries, dim, sizes.scale, dq.matrix.row(first_row) + h * dim, dq.matrix.stride,
               dq.accumulate);
      }
    }
  }

  void store_keys(std::int64_t b, std::int64_t kv_head, std::int64_t split, const float* dk_sum,
                  const float* dv_sum) const {
    const auto unpack = WITAN_DISPATCH(AttentionUnpack);
    for (std::int64_t j = 0; j < key_blocks; ++j) {
      if (owner_of(j, splits) != split) continue;
      const std::int64_t key = j * kKeyBlock;
      const std::int64_t rows = std::min(kKeyBlock, sizes.keys - key);
      const std::int64_t row = b * sizes.keys + key;
      if (dk.wanted()) {
        unpack(dk_sum + key * width, rows, dim, kLn2, dk.matrix.row(row) + kv_head * dim, dk.matrix.stride,
               dk.accumulate);
      }
      if (dv.wanted()) {
        unpack(dv_sum + key * width, rows, dim, 1.0F, dv.matrix.row(row) + kv_head * dim, dv.matrix.stride,
               dv.accumulate);
      }
    }
  }

  void add_up_dq(std::int64_t head) const {
    const auto unpack = WITAN_DISPATCH(AttentionUnpack);
    const std::int64_t size = sizes.queries * width;
    float* sum = dq_sums + head * size;
    for (std::int64_t split = 1; split < splits; ++split) {
      const float* other = sum + split * sizes.batch * sizes.heads * size;
      for (std::int64_t i = 0; i < size; ++i) sum[i] += other[i];
    }
    unpack(sum, sizes.queries, dim, sizes.scale,
           dq.matrix.row(head / sizes.heads * sizes.queries) + head % sizes.heads * dim, dq.matrix.stride,
           dq.accumulate);
  }
};

}  // namespace

void attention_backward(const AttentionSizes& sizes, ConstMatrix dout, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                        ConstMatrix out, const float* statistics, GradientView dq, GradientView dk, GradientView dv) {
  check_attention(sizes, q, k, v);
  WITAN_ASSERT(dout.rows == q.rows && dout.cols == q.cols && out.rows == q.rows && out.cols == q.cols);
  const std::int64_t kv_count = sizes.batch * sizes.kv_heads;
  const std::int64_t head_count = sizes.batch * sizes.heads;
  const std::int64_t splits = key_splits(sizes);
  Scratch partial(splits == 1 ? 0 : splits * head_count * sizes.queries * padded_width(sizes.head_dim));
  const Backward backward{sizes, dout, q, k, v, out, statistics, dq, dk, dv, splits, partial.take(0)};
  const std::int64_t products = 2 * head_count * sizes.queries * sizes.keys * sizes.head_dim;
  deal(kv_count * splits, products, [&](std::int64_t slot, std::int64_t slots) {
    for (std::int64_t task = slot; task < kv_count * splits; task += slots) {
      backward.run(task % kv_count, task / kv_count);
    }
  });
  if (splits == 1 || !dq.wanted()) return;
  deal(head_count, head_count * sizes.queries * sizes.head_dim, [&](std::int64_t slot, std::int64_t slots) {
    for (std::int64_t head = slot; head < head_count; head += slots) backward.add_up_dq(head);
  });
}

}  // namespace witan::kernels
#endif
