// The weighted sum of probabilities, forward and backward.
#include "balance/probability_loss.h"

#include <algorithm>
#include <utility>

#include "base/index.h"

namespace witan {
namespace {

// Adds the probabilities of the rows of one sequence, expert by expert. In f32 over a block of rows, then in double:
// the inner loop runs along the row, so that it vectorises and its order is fixed.
void add_rows(const Matrix& probabilities, const RowWeights& weights, std::int64_t begin, std::int64_t end,
              std::span<double> sums) {
  constexpr std::int64_t kBlock = 64;
  PooledVector<float> block(sums.size());
  for (std::int64_t first = begin; first < end; first += kBlock) {
    std::fill(block.begin(), block.end(), 0.0F);
    for (std::int64_t row = first; row < std::min(end, first + kBlock); ++row) {
      if (weights.of(row) == nullptr) continue;
      const float* const p = probabilities.row(row);
      for (std::size_t e = 0; e < block.size(); ++e) block[e] += p[e];
    }
    for (std::size_t e = 0; e < block.size(); ++e) sums[e] += static_cast<double>(block[e]);
  }
}

}  // namespace

Tensor weighted_probabilities(Tape& tape, std::span<const Tensor> layers, RowWeights weights) {
  Tensor y = tape.output({}, layers);
  const std::int64_t rows = layers[0].rows();
  PooledVector<double> sums(index(weights.num_experts));
  double total = 0.0;
  for (std::int64_t begin = 0; begin < rows; begin += weights.sequence_length) {
    const std::int64_t end = std::min(rows, begin + weights.sequence_length);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const Tensor& layer : layers) add_rows(layer.matrix(), weights, begin, end, sums);
    const float* const coefficients =
        weights.coefficients.data() + (begin / weights.sequence_length) * weights.num_experts;
    for (std::size_t e = 0; e < sums.size(); ++e) total += static_cast<double>(coefficients[e]) * sums[e];
  }
  y.data()[0] = static_cast<float>(total);

  PooledVector<Gradient> gradients;
  for (const Tensor& layer : layers) gradients.push_back(layer.grad());
  tape.record(y, [dy = y.grad(), gradients = std::move(gradients), weights = std::move(weights)] {
    const float given = dy.values()[0];
    for (const Gradient& gradient : gradients) {
      if (!gradient.wanted()) continue;
      gradient.accumulator();
      const Matrix dp = gradient.matrix();
      for (std::int64_t row = 0; row < dp.rows; ++row) {
        const float* const coefficients = weights.of(row);
        if (coefficients == nullptr) continue;
        float* const out = dp.row(row);
        for (std::int64_t e = 0; e < dp.cols; ++e) out[e] += given * coefficients[e];
      }
    }
  });
  return y;
}

}  // namespace witan
