// Matrix products: plain and grouped, beside the rate that a loop over registers reaches in the same run.
// Counters: GFLOP/s, and the share of the register loop's rate.
#include "kernels/gemm.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "base/parallel.h"
#include "base/pool.h"
#include "base/random.h"
#include "kernels/grouped_gemm.h"
#include "support/register_rate.h"

namespace witan::bench::gemm_bench {
namespace {

// Aligned as tensors are.
using Values = PooledVector<float>;

Values random_values(std::int64_t size) {
  Values values(static_cast<std::size_t>(size));
  Random(1).fill_normal(values, 0.0F, 1.0F);
  return values;
}

// Rows of an assignment: T rows to k experts each, drawn at random, so that the load is as uneven as chance makes it.
struct Routed {
  Routed(std::int64_t rows, std::int64_t experts, std::int64_t top_k) : offsets(1, 0) {
    std::vector<std::vector<std::int32_t>> of_expert(static_cast<std::size_t>(experts));
    Random random(2);
    for (std::int64_t row = 0; row < rows; ++row) {
      std::vector<bool> taken(static_cast<std::size_t>(experts), false);
      for (std::int64_t choice = 0; choice < top_k;) {
        const auto expert = static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(experts)));
        if (taken[expert]) continue;
        taken[expert] = true;
        of_expert[expert].push_back(static_cast<std::int32_t>(row));
        ++choice;
      }
    }
    for (const std::vector<std::int32_t>& list : of_expert) {
      indices.insert(indices.end(), list.begin(), list.end());
      offsets.push_back(static_cast<std::int64_t>(indices.size()));
    }
  }
  std::vector<std::int64_t> offsets;
  std::vector<std::int32_t> indices;
};

// Runs `work` of `flops` per call and reports its rate, with the register loop measured before and after.
template <class Work>
void measure(benchmark::State& state, double flops, Work&& work) {
  work();
  const double before = register_rate();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) work();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double rate = static_cast<double>(state.iterations()) * flops / seconds.count();
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["share"] = rate / (0.5 * (before + register_rate()));
}

void register_loop(benchmark::State& state) {
  double times = 0.0;
  for (auto _ : state) times += 1.0 / register_rate();
  state.counters["GFLOP/s"] = static_cast<double>(state.iterations()) / times * 1e-9;
}

enum class Form { kForward, kBackwardInput, kBackwardWeight };

// T, in, out, E, k.
void grouped(benchmark::State& state, Form form) {
  const std::int64_t rows = state.range(0);
  const std::int64_t in = state.range(1);
  const std::int64_t out = state.range(2);
  const std::int64_t experts = state.range(3);
  const Routed routed(rows, experts, state.range(4));
  const auto entries = static_cast<std::int64_t>(routed.indices.size());
  const Values x = random_values(rows * in);
  Values weight = random_values(experts * in * out);
  Values y = random_values(entries * out);
  Values dx(static_cast<std::size_t>(entries * in));
  const kernels::RowGroups groups{routed.offsets, routed.indices};
  measure(state, 2.0 * static_cast<double>(entries * in * out), [&] {
    switch (form) {
      case Form::kForward:
        return kernels::grouped_gemm(groups, {x.data(), rows, in}, {weight.data(), out, in}, {y.data(), entries, out});
      case Form::kBackwardInput:
        return kernels::grouped_gemm_backward_input(groups, {y.data(), entries, out}, {weight.data(), out, in},
                                                    {dx.data(), entries, in}, false);
      case Form::kBackwardWeight:
        return kernels::grouped_gemm_backward_weight(groups, {y.data(), entries, out}, {x.data(), rows, in},
                                                     {weight.data(), out, in}, false);
    }
  });
}

// m, n, k.
void plain(benchmark::State& state, kernels::Op op_a, kernels::Op op_b) {
  const std::int64_t m = state.range(0);
  const std::int64_t n = state.range(1);
  const std::int64_t k = state.range(2);
  const Values a = random_values(m * k);
  const Values b = random_values(k * n);
  Values c(static_cast<std::size_t>(m * n));
  const auto view = [](const Values& values, kernels::Op op, std::int64_t rows, std::int64_t cols) {
    return op == kernels::Op::kPlain ? ConstMatrix{values.data(), rows, cols} : ConstMatrix{values.data(), cols, rows};
  };
  measure(state, 2.0 * static_cast<double>(m * n * k), [&] {
    kernels::gemm(op_a, op_b, view(a, op_a, m, k), view(b, op_b, k, n), 0.0F, {c.data(), m, n});
  });
}

using kernels::Op;
BENCHMARK(register_loop)->UseRealTime();

void grouped_shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"T", "in", "out", "E", "k"})
      ->Args({1024, 512, 1024, 8, 2})
      ->Args({1024, 512, 512, 64, 8})
      ->Args({1024, 256, 512, 16, 2})
      ->UseRealTime();
}
BENCHMARK_CAPTURE(grouped, forward, Form::kForward)->Apply(grouped_shapes);
BENCHMARK_CAPTURE(grouped, backward_input, Form::kBackwardInput)->Apply(grouped_shapes);
BENCHMARK_CAPTURE(grouped, backward_weight, Form::kBackwardWeight)->Apply(grouped_shapes);

// The products of a decoder with 2048 rows of width 256: forward, to the input, to the weight.
void decoder_shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"m", "n", "k"})
      ->Args({2048, 256, 256})
      ->Args({2048, 1024, 256})
      ->Args({2048, 256, 1024})
      ->Args({2048, 4096, 256})
      ->Args({2048, 16, 256})
      ->UseRealTime();
}
BENCHMARK_CAPTURE(plain, forward, Op::kPlain, Op::kTransposed)->Apply(decoder_shapes);
BENCHMARK_CAPTURE(plain, backward_input, Op::kPlain, Op::kPlain)->Apply(decoder_shapes);
BENCHMARK_CAPTURE(plain, backward_weight, Op::kTransposed, Op::kPlain)
    ->ArgNames({"m", "n", "k"})
    ->Args({256, 256, 2048})
    ->Args({1024, 256, 2048})
    ->Args({4096, 256, 2048})
    ->Args({16, 256, 2048})
    ->UseRealTime();

}  // namespace
}  // namespace witan::bench::gemm_bench
