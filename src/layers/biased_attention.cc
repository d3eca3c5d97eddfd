// Scores, bias, mask, softmax, mixture of values.
#include "layers/biased_attention.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "kernels/gemm.h"
#include "kernels/softmax.h"

namespace witan {
namespace {

// The columns of one head.
template <class T>
MatrixView<T> head_of(MatrixView<T> all, std::int64_t head, std::int64_t width) {
  return {all.data + head * width, all.rows, width, all.stride};
}

Matrix rows_of(const Matrix& all, std::int64_t first, std::int64_t count) {
  return {all.row(first), count, all.cols, all.stride};
}

}  // namespace

Tensor attend_with_bias(const BiasedAttention& options, const Tensor& q, ConstMatrix keys, ConstMatrix values,
                        const Tensor& bias) {
  using kernels::Op;
  const std::int64_t queries = q.rows();
  const std::int64_t width = q.cols() / options.heads;
  WITAN_ASSERT(width * options.heads == q.cols() && keys.cols == q.cols() && values.cols == q.cols());
  WITAN_ASSERT(keys.rows == values.rows && keys.rows > 0);
  const std::int64_t distances = queries + keys.rows - 1;
  WITAN_ASSERT(!bias.defined() || bias.shape() == (Shape{options.heads, distances}));
  Tensor mixed = Tensor::uninitialized({queries, q.cols()});
  const std::int64_t together =
      std::clamp<std::int64_t>(options.most_scores / keys.rows, 1, std::max<std::int64_t>(1, queries));
  const Tensor room = Tensor::uninitialized({together, keys.rows});
  for (std::int64_t first = 0; first < queries; first += together) {
    const Matrix scores(room.data(), std::min(together, queries - first), keys.rows);
    for (std::int64_t head = 0; head < options.heads; ++head) {
      kernels::gemm(Op::kPlain, Op::kTransposed,
                    head_of<const float>(rows_of(q.matrix(), first, scores.rows), head, width),
                    head_of(keys, head, width), 0.0F, scores);
      for (std::int64_t i = 0; i < scores.rows; ++i) {
        const std::int64_t query = first + i;
        float* const row = scores.row(i);
        const float* const added = bias.defined() ? bias.matrix().row(head) + (queries - 1 - query) : nullptr;
        const std::int64_t seen = options.causal ? options.first_position + query + 1 : keys.rows;
        for (std::int64_t key = 0; key < keys.rows; ++key) {
          row[key] = key < seen ? options.scale * row[key] + (added == nullptr ? 0.0F : added[key])
                                : -std::numeric_limits<float>::infinity();
        }
      }
      kernels::softmax(scores, scores);
      kernels::gemm(Op::kPlain, Op::kPlain, scores, head_of(values, head, width), 0.0F,
                    head_of(rows_of(mixed.matrix(), first, scores.rows), head, width));
    }
  }
  return mixed;
}

}  // namespace witan
