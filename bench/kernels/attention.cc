// How fast attention is: useful multiply-adds per second (those below the diagonal), against the rate a register loop
// reaches on the same threads. Forward counts 2, backward 5 products of the size of the scores.
#include "kernels/attention.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"

namespace witan::kernels::attention_bench {
namespace {

struct Problem {
  explicit Problem(const benchmark::State& state)
      : sizes{state.range(0),
              state.range(1),
              state.range(2),
              state.range(3),
              state.range(4),
              state.range(5),
              1.0F / std::sqrt(static_cast<float>(state.range(5)))} {
    const std::int64_t query_size = sizes.batch * sizes.queries * sizes.heads * sizes.head_dim;
    const std::int64_t key_size = sizes.batch * sizes.keys * sizes.kv_heads * sizes.head_dim;
    std::uint64_t seed = 0;
    for (std::vector<float>* values : {&q, &out, &dout, &dq}) values->resize(static_cast<std::size_t>(query_size));
    for (std::vector<float>* values : {&k, &v, &dk, &dv}) values->resize(static_cast<std::size_t>(key_size));
    for (std::vector<float>* values : {&q, &dout, &k, &v}) Random(++seed).fill_normal(*values, 0.0F, 1.0F);
    statistics.resize(static_cast<std::size_t>(2 * sizes.batch * sizes.heads * sizes.queries));
  }
  Matrix queries(std::vector<float>& x) const {
    return {x.data(), sizes.batch * sizes.queries, sizes.heads * sizes.head_dim};
  }
  Matrix keys(std::vector<float>& x) const {
    return {x.data(), sizes.batch * sizes.keys, sizes.kv_heads * sizes.head_dim};
  }
  void forward(bool keep) {
    attention(sizes, queries(q), keys(k), keys(v), queries(out), keep ? statistics.data() : nullptr);
  }
  void backward() {
    attention_backward(sizes, queries(dout), queries(q), keys(k), keys(v), queries(out), statistics.data(),
                       {queries(dq), false}, {keys(dk), false}, {keys(dv), false});
  }
  // Floating point operations of one product of the size of the visible scores.
  double operations() const {
    const auto n = static_cast<double>(sizes.queries);
    const double visible = n * static_cast<double>(sizes.keys - sizes.queries) + n * (n + 1.0) / 2.0;
    return 2.0 * visible * static_cast<double>(sizes.batch * sizes.heads * sizes.head_dim);
  }
  AttentionSizes sizes;
  std::vector<float> q, k, v, out, dout, dq, dk, dv, statistics;
};

void report(benchmark::State& state, double operations) {
  state.counters["flop/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["threads"] = num_threads();
}

void attention_of_sequences(benchmark::State& state) {
  Problem p(state);
  for ([[maybe_unused]] auto _ : state) p.forward(true);
  report(state, 2.0 * p.operations());
}

void attention_gradient(benchmark::State& state) {
  Problem p(state);
  p.forward(true);
  for ([[maybe_unused]] auto _ : state) p.backward();
  report(state, 5.0 * p.operations());
}

void attention_of_decoding(benchmark::State& state) {
  Problem p(state);
  for ([[maybe_unused]] auto _ : state) p.forward(false);
  report(state, 2.0 * p.operations());
}

void training_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "queries", "keys", "heads", "kv_heads", "head_dim"})->UseRealTime();
  bench->Args({8, 256, 256, 8, 8, 32})->Args({8, 256, 256, 8, 4, 32})->Args({4, 512, 512, 8, 8, 64});
  bench->Args({1, 2048, 2048, 8, 2, 64})->Args({1, 2048, 2048, 4, 4, 128})->Args({1, 2048, 2048, 1, 1, 64});
}

void decoding_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"batch", "queries", "keys", "heads", "kv_heads", "head_dim"})->UseRealTime();
  bench->Args({1, 1, 256, 8, 4, 32})->Args({1, 1, 2048, 8, 4, 32})->Args({1, 1, 2048, 16, 16, 64});
  bench->Args({1, 64, 2048, 8, 4, 32});
}

BENCHMARK(attention_of_sequences)->Apply(training_sizes);
BENCHMARK(attention_gradient)->Apply(training_sizes);
BENCHMARK(attention_of_decoding)->Apply(decoding_sizes);

}  // namespace
}  // namespace witan::kernels::attention_bench
