// The fused loss with its two gradients, in rows per second and GFLOP/s of its three products.
#include "kernels/cross_entropy.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "base/pool.h"
#include "base/random.h"
#include "kernels/gemm.h"

namespace witan::kernels::cross_entropy_bench {
namespace {

// Rows of range(0) x range(1) against a vocabulary of range(2).
struct Problem {
  explicit Problem(const benchmark::State& state)
      : rows(state.range(0)),
        width(state.range(1)),
        vocabulary(state.range(2)),
        hidden(static_cast<std::size_t>(rows * width)),
        weight(static_cast<std::size_t>(vocabulary * width)),
        dhidden(hidden.size()),
        dweight(weight.size()),
        targets(static_cast<std::size_t>(rows)) {
    Random random(1);
    random.fill_normal(hidden, 0.0F, 1.0F);
    random.fill_normal(weight, 0.0F, 0.02F);
    for (auto& target : targets) {
      target = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    }
  }
  Matrix of_rows(PooledVector<float>& values) const { return {values.data(), rows, width}; }
  Matrix of_vocabulary(PooledVector<float>& values) const { return {values.data(), vocabulary, width}; }

  std::int64_t rows, width, vocabulary;
  PooledVector<float> hidden, weight, dhidden, dweight;
  PooledVector<std::int32_t> targets;
};

void count_flops(benchmark::State& state, int products) {
  const double flops = 2.0 * static_cast<double>(products * state.range(0) * state.range(1) * state.range(2));
  state.counters["GFLOP/s"] = benchmark::Counter(1e-9 * flops, benchmark::Counter::kIsIterationInvariantRate);
}

void cross_entropy_training(benchmark::State& state) {
  Problem p(state);
  CrossEntropyGradients gradients;
  gradients.hidden = p.of_rows(p.dhidden);
  gradients.weight = p.of_vocabulary(p.dweight);
  gradients.scale = 1.0F / static_cast<float>(p.rows);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cross_entropy(p.of_rows(p.hidden), p.of_vocabulary(p.weight), p.targets, {}, gradients));
  }
  count_flops(state, 3);
}

void cross_entropy_evaluation(benchmark::State& state) {
  Problem p(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cross_entropy(p.of_rows(p.hidden), p.of_vocabulary(p.weight), p.targets, {}, {}));
  }
  count_flops(state, 1);
}

// The same three products over all rows at once: what the loss would cost if it were nothing but products.
void three_products_alone(benchmark::State& state) {
  Problem p(state);
  PooledVector<float> logits(static_cast<std::size_t>(p.rows * p.vocabulary));
  const ConstMatrix hidden = p.of_rows(p.hidden);
  const ConstMatrix weight = p.of_vocabulary(p.weight);
  const Matrix all(logits.data(), p.rows, p.vocabulary);
  for (auto _ : state) {
    gemm(hidden, weight, all);
    gemm(Op::kPlain, Op::kPlain, all, weight, 0.0F, p.of_rows(p.dhidden));
    gemm(Op::kTransposed, Op::kPlain, all, hidden, 0.0F, p.of_vocabulary(p.dweight));
  }
  count_flops(state, 3);
}

#define WITAN_LOSS_SHAPES ->Args({2048, 256, 4096})->Args({2048, 256, 32000})->Args({512, 1024, 16384})->UseRealTime()
BENCHMARK(cross_entropy_training) WITAN_LOSS_SHAPES;
BENCHMARK(cross_entropy_evaluation) WITAN_LOSS_SHAPES;
BENCHMARK(three_products_alone) WITAN_LOSS_SHAPES;

}  // namespace
}  // namespace witan::kernels::cross_entropy_bench
