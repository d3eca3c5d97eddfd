// The chunked loss: logits of a few rows, their softmax, and at once the two products of the gradient.
#include "kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
namespace {

constexpr std::int64_t kRowsOfAChunk = 128;

// c (+)= op(a) b with op the transposition or not.
void plain_product(bool transposed, ConstMatrix a, ConstMatrix b, bool accumulate, Matrix c) {
  parallel_for(c.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (!accumulate) std::fill_n(c.row(r), c.cols, 0.0F);
      for (std::int64_t i = 0; i < b.rows; ++i) {
        const float factor = transposed ? a(i, r) : a(r, i);
        for (std::int64_t j = 0; j < c.cols; ++j) c(r, j) += factor * b(i, j);
      }
    }
  });
}

// Turns a row of logits into the gradient scale * (softmax - onehot) and returns the loss.
double softmax_row(float* logits, std::int64_t count, std::int32_t target, float scale, bool with_gradient) {
  const float largest = *std::max_element(logits, logits + count);
  const double at_target = logits[target];
  double sum = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    logits[i] = std::exp(logits[i] - largest);
    sum += static_cast<double>(logits[i]);
  }
  if (with_gradient) {
    const auto factor = static_cast<float>(static_cast<double>(scale) / sum);
    for (std::int64_t i = 0; i < count; ++i) logits[i] *= factor;
    logits[target] -= scale;
  }
  return std::log(sum) + static_cast<double>(largest) - at_target;
}

}  // namespace

double cross_entropy(ConstMatrix hidden, ConstMatrix weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses, const CrossEntropyGradients& gradients) {
  WITAN_ASSERT(hidden.cols == weight.cols && static_cast<std::int64_t>(targets.size()) == hidden.rows);
  WITAN_ASSERT(row_losses.empty() || row_losses.size() == targets.size());
  const bool with_gradient = gradients.hidden.data != nullptr || gradients.weight.data != nullptr;
  const std::int64_t chunk_rows = std::min(kRowsOfAChunk, std::max<std::int64_t>(hidden.rows, 1));
  PooledVector<float> logits(static_cast<std::size_t>(chunk_rows * weight.rows));
  PooledVector<double> losses(targets.size(), 0.0);
  for (std::int64_t begin = 0; begin < hidden.rows; begin += chunk_rows) {
    const std::int64_t rows = std::min(chunk_rows, hidden.rows - begin);
    const ConstMatrix inputs(hidden.row(begin), rows, hidden.cols, hidden.stride);
    const Matrix chunk(logits.data(), rows, weight.rows);
    parallel_for(rows, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        for (std::int64_t v = 0; v < weight.rows; ++v) {
          float dot = 0.0F;
          for (std::int64_t d = 0; d < weight.cols; ++d) dot += inputs(r, d) * weight(v, d);
          chunk(r, v) = dot;
        }
        const std::int32_t target = targets[static_cast<std::size_t>(begin + r)];
        if (target < 0) {
          std::fill_n(chunk.row(r), chunk.cols, 0.0F);
          continue;
        }
        losses[static_cast<std::size_t>(begin + r)] =
            softmax_row(chunk.row(r), chunk.cols, target, gradients.scale, with_gradient);
      }
    });
    if (gradients.hidden.data != nullptr) {
      const Matrix sink(gradients.hidden.row(begin), rows, gradients.hidden.cols, gradients.hidden.stride);
      plain_product(false, chunk, weight, false, sink);
    }
    if (gradients.weight.data != nullptr) plain_product(true, chunk, inputs, begin > 0, gradients.weight);
  }
  double total = 0.0;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    total += losses[t];
    if (!row_losses.empty()) row_losses[t] = static_cast<float>(losses[t]);
  }
  return total;
}

}  // namespace witan::kernels
