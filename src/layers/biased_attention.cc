// Scores, bias, mask, softmax, mixture of values.
#include "layers/biased_attention.h"

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

}  // namespace

Tensor attend_with_bias(const BiasedAttention& options, const Tensor& q, ConstMatrix keys, ConstMatrix values,
                        const Tensor& bias) {
  using kernels::Op;
  const std::int64_t queries = q.rows();
  const std::int64_t width = q.cols() / options.heads;
  WITAN_ASSERT(width * options.heads == q.cols() && keys.cols == q.cols() && values.cols == q.cols());
  WITAN_ASSERT(keys.rows == values.rows && keys.rows > 0);
  WITAN_ASSERT(!bias.defined() || bias.shape() == (Shape{options.heads, queries, keys.rows}));
  Tensor mixed = Tensor::uninitialized({queries, q.cols()});
  const Tensor scores = Tensor::uninitialized({queries, keys.rows});
  for (std::int64_t head = 0; head < options.heads; ++head) {
    kernels::gemm(Op::kPlain, Op::kTransposed, head_of<const float>(q.matrix(), head, width),
                  head_of(keys, head, width), 0.0F, scores.matrix());
    for (std::int64_t query = 0; query < queries; ++query) {
      float* const row = scores.matrix().row(query);
      const float* const added = bias.defined() ? bias.data() + (head * queries + query) * keys.rows : nullptr;
      const std::int64_t seen = options.causal ? options.first_position + query + 1 : keys.rows;
      for (std::int64_t key = 0; key < keys.rows; ++key) {
        row[key] = key < seen ? options.scale * row[key] + (added == nullptr ? 0.0F : added[key])
                              : -std::numeric_limits<float>::infinity();
      }
    }
    kernels::softmax(scores.matrix(), scores.matrix());
    kernels::gemm(Op::kPlain, Op::kPlain, scores.matrix(), head_of(values, head, width), 0.0F,
                  head_of(mixed.matrix(), head, width));
  }
  return mixed;
}

}  // namespace witan
