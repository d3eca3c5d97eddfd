// Top-k of router scores against a stable sort and a partial sort of each row.
#include "kernels/select.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace witan::kernels::select_bench {
namespace {

using Function = std::int64_t (*)(ConstMatrix, std::int64_t, std::span<std::int32_t>, std::span<float>);

void selection(benchmark::State& state, Function select) {
  const std::int64_t rows = state.range(0);
  const std::int64_t experts = state.range(1);
  const std::int64_t k = state.range(2);
  std::vector<float> scores(static_cast<std::size_t>(rows * experts));
  Random(1).fill_normal(scores, 0.0F, 1.0F);
  std::vector<std::int32_t> indices(static_cast<std::size_t>(rows * k));
  std::vector<float> values(indices.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(select({scores.data(), rows, experts}, k, indices, values));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows);
}

std::int64_t partial_sort(ConstMatrix scores, std::int64_t k, std::span<std::int32_t> indices, std::span<float>) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(scores.cols));
  for (std::int64_t t = 0; t < scores.rows; ++t) {
    const float* row = scores.row(t);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(),
                      [row](std::int32_t a, std::int32_t b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
    std::copy_n(order.begin(), k, indices.begin() + t * k);
  }
  return -1;
}

#define WITAN_SELECT_SHAPES \
  ->Args({4096, 8, 2})->Args({4096, 16, 2})->Args({4096, 64, 8})->Args({4096, 256, 8})->UseRealTime()
BENCHMARK_CAPTURE(selection, top_k, &top_k) WITAN_SELECT_SHAPES;
BENCHMARK_CAPTURE(selection, stable_sort, &top_k_reference) WITAN_SELECT_SHAPES;
BENCHMARK_CAPTURE(selection, partial_sort, &partial_sort) WITAN_SELECT_SHAPES;

}  // namespace
}  // namespace witan::kernels::select_bench
