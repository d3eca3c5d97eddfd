// Which experts are alike, from their weights: entry by entry, and neuron by neuron.
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/normal_quantile.h"
#include "base/parallel.h"
#include "inspection/weight_statistics.h"
#include "kernels/gemm.h"

namespace witan {
namespace {

constexpr std::int64_t kFewestNeurons = 16;
constexpr std::int64_t kStretch = std::int64_t{1} << 16;  // entries that are added up in f32

std::size_t at(std::int64_t a, std::int64_t b, std::int64_t experts) {
  return static_cast<std::size_t>(a * experts + b);
}

std::vector<double> cosines(const ExpertBank& bank) {
  const std::int64_t experts = bank.num_experts();
  std::vector<double> products(static_cast<std::size_t>(experts * experts), 0.0);
  std::vector<float> part(products.size());
  for (const ExpertBank::Matrix& matrix : bank.matrices) {
    const std::int64_t size = matrix.values.numel() / experts;
    for (std::int64_t first = 0; first < size; first += kStretch) {
      const ConstMatrix stretch(matrix.values.data() + first, experts, std::min(kStretch, size - first), size);
      kernels::gemm(kernels::Op::kPlain, kernels::Op::kTransposed, stretch, stretch, 0.0F,
                    Matrix(part.data(), experts, experts));
      std::ranges::transform(products, part, products.begin(), std::plus<double>());
    }
  }
  std::vector<double> result(products.size(), 0.0);
  for (std::int64_t a = 0; a < experts; ++a) {
    for (std::int64_t b = 0; b < experts; ++b) {
      const double norms = std::sqrt(products[at(a, a, experts)] * products[at(b, b, experts)]);
      if (norms > 0.0) result[at(a, b, experts)] = a == b ? 1.0 : products[at(a, b, experts)] / norms;
    }
  }
  return result;
}

// Neurons of equal width, each of length 1 (or 0).
struct Neurons {
  std::vector<float> values;
  std::int64_t count = 0;
  std::int64_t width = 0;
  ConstMatrix view() const { return {values.data(), count, width}; }
};

// Every `step`-th neuron of an expert, in as even a spread as `count` allows.
Neurons neurons_of(const ExpertBank& bank, std::int64_t expert, std::int64_t count) {
  const Tensor& up = bank.matrices.front().values;
  const std::int64_t all = up.dim(1);
  const std::int64_t hidden = up.dim(2);
  Neurons neurons;
  neurons.count = count;
  neurons.width = hidden * static_cast<std::int64_t>(bank.matrices.size());
  neurons.values.resize(static_cast<std::size_t>(count * neurons.width));
  parallel_for(count, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t neuron = i * all / count;
      float* out = neurons.values.data() + i * neurons.width;
      double squares = 0.0;
      for (const ExpertBank::Matrix& matrix : bank.matrices) {
        const Tensor& values = matrix.values;
        const ConstMatrix one(values.data() + expert * values.dim(1) * values.dim(2), values.dim(1), values.dim(2));
        const bool outgoing = matrix.name == "down_proj";
        for (std::int64_t d = 0; d < hidden; ++d) {
          *out = outgoing ? one(d, neuron) : one(neuron, d);
          squares += static_cast<double>(*out) * static_cast<double>(*out);
          ++out;
        }
      }
      const auto factor = static_cast<float>(squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0);
      std::for_each(out - neurons.width, out, [&](float& value) { value *= factor; });
    }
  });
  return neurons;
}

// The mean over the rows of their largest entry.
double mean_of_best(ConstMatrix cosines) {
  double sum = 0.0;
  for (std::int64_t r = 0; r < cosines.rows; ++r)
    sum += *std::max_element(cosines.row(r), cosines.row(r) + cosines.cols);
  return sum / static_cast<double>(cosines.rows);
}

double best_matches(const Neurons& seekers, const Neurons& others, std::vector<float>& scratch) {
  scratch.resize(static_cast<std::size_t>(seekers.count * others.count));
  const Matrix cosines(scratch.data(), seekers.count, others.count);
  kernels::gemm(kernels::Op::kPlain, kernels::Op::kTransposed, seekers.view(), others.view(), 0.0F, cosines);
  return mean_of_best(cosines);
}

// What the largest of `count` cosines with random directions is on average: they are nearly normal with variance
// 1 / width, and their largest as Blom (1958) has it for a normal sample.
double largest_by_chance(double count, double width) {
  return normal_quantile((count - 0.375) / (count + 0.25)) / std::sqrt(width);
}

}  // namespace

WeightSimilarity weight_similarity(const ExpertBank& bank, double most_work) {
  WeightSimilarity result;
  result.cosine = cosines(bank);
  const std::int64_t experts = bank.num_experts();
  const std::int64_t neurons = bank.matrices.front().values.dim(1);
  const auto width =
      static_cast<double>(bank.matrices.front().values.dim(2)) * static_cast<double>(bank.matrices.size());
  const double work_per_neuron =
      2.0 * static_cast<double>(experts * (experts - 1)) * static_cast<double>(neurons) * width;
  std::int64_t seekers = neurons;
  if (work_per_neuron * static_cast<double>(neurons) > most_work) {
    seekers = static_cast<std::int64_t>(most_work / work_per_neuron);
  }
  if (experts < 2 || seekers < std::min(kFewestNeurons, neurons)) return result;
  result.matched_neurons = seekers;
  result.matched_by_chance = largest_by_chance(static_cast<double>(neurons), width);
  result.matched.assign(static_cast<std::size_t>(experts * experts), 0.0);
  std::vector<float> scratch;
  // All neurons of an expert are gathered once, whoever seeks among them: with few seekers that is most of the work.
  for (std::int64_t a = 0; a < experts; ++a) {
    const Neurons found = neurons_of(bank, a, neurons);
    for (std::int64_t b = 0; b < experts; ++b) {
      if (b == a) continue;
      const double half = 0.5 * best_matches(neurons_of(bank, b, seekers), found, scratch);
      result.matched[at(a, b, experts)] += half;
      result.matched[at(b, a, experts)] += half;
    }
    result.matched[at(a, a, experts)] = 1.0;
  }
  return result;
}

}  // namespace witan
