// The fused loss with its two gradients, in rows per second and GFLOP/s of its three products.
#include "kernels/cross_entropy.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "base/pool.h"
#include "base/random.h"
#include "kernels/gemm.h"

namespace witan::kernels::cross_entropy_bench {
namespace {

struct Problem {
  Problem(std::int64_t rows, std::int64_t width, std::int64_t vocabulary)
      : hidden(static_cast<std::size_t>(rows * width)),
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
  PooledVector<float> hidden, weight, dhidden, dweight;
  PooledVector<std::int32_t> targets;
};

void count_flops(benchmark::State& state, int products) {
  const double flops = 2.0 * static_cast<double>(products * state.range(0) * state.range(1) * state.range(2));
  state.counters["GFLOP/s"] = benchmark::Counter(1e-9 * flops, benchmark::Counter::kIsIterationInvariantRate);
}

void cross_entropy_training(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  const std::int64_t width = state.range(1);
  const std::int64_t vocabulary = state.range(2);
  Problem p(rows, width, vocabulary);
  CrossEntropyGradients gradients;
  gradients.hidden = {p.dhidden.data(), rows, width};
  gradients.weight = {p.dweight.data(), vocabulary, width};
  gradients.scale = 1.0F / static_cast<float>(rows);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cross_entropy({p.hidden.data(), rows, width}, {p.weight.data(), vocabulary, width}, p.targets, {}, gradients));
  }
  count_flops(state, 3);
}

void cross_entropy_evaluation(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  const std::int64_t width = state.range(1);
  const std::int64_t vocabulary = state.range(2);
  Problem p(rows, width, vocabulary);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cross_entropy({p.hidden.data(), rows, width}, {p.weight.data(), vocabulary, width}, p.targets, {}, {}));
  }
  count_flops(state, 1);
}

// The same three products over all rows at once: what the loss would cost if it were nothing but products.
void three_products_alone(benchmark::State& state) {
  const std::int64_t rows = state.range(0);
  const std::int64_t width = state.range(1);
  const std::int64_t vocabulary = state.range(2);
  Problem p(rows, width, vocabulary);
  PooledVector<float> logits(static_cast<std::size_t>(rows * vocabulary));
  const ConstMatrix hidden(p.hidden.data(), rows, width);
  const ConstMatrix weight(p.weight.data(), vocabulary, width);
  const Matrix all(logits.data(), rows, vocabulary);
  for (auto _ : state) {
    gemm(Op::kPlain, Op::kTransposed, hidden, weight, 0.0F, all);
    gemm(Op::kPlain, Op::kPlain, all, weight, 0.0F, {p.dhidden.data(), rows, width});
    gemm(Op::kTransposed, Op::kPlain, all, hidden, 0.0F, {p.dweight.data(), vocabulary, width});
  }
  count_flops(state, 3);
}

#define WITAN_LOSS_SHAPES ->Args({2048, 256, 4096})->Args({2048, 256, 32000})->Args({512, 1024, 16384})->UseRealTime()
BENCHMARK(cross_entropy_training) WITAN_LOSS_SHAPES;
BENCHMARK(cross_entropy_evaluation) WITAN_LOSS_SHAPES;
BENCHMARK(three_products_alone) WITAN_LOSS_SHAPES;

}  // namespace
}  // namespace witan::kernels::cross_entropy_bench
