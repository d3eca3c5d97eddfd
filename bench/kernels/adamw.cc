// The fused AdamW step and the gradient norm, in bytes per second, against a copy of the same memory.
#include "kernels/adamw.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "kernels/elementwise.h"

namespace witan::kernels::adamw_bench {
namespace {

std::vector<float> drawn(std::int64_t count, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  Random(1).fill_uniform(values, -scale, scale);
  return values;
}

void adamw_step(benchmark::State& state) {
  std::vector<float> parameter = drawn(state.range(0), 1.0F);
  const std::vector<float> gradient = drawn(state.range(0), 0.01F);
  std::vector<float> first(parameter.size());
  std::vector<float> second(parameter.size());
  AdamWStep step;
  step.weight_decay = 0.1F;
  for (auto _ : state) {
    adamw(parameter, gradient, first, second, step);
    ++step.step;
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 7 * static_cast<std::int64_t>(sizeof(float)));
}

void gradient_norm(benchmark::State& state) {
  const std::vector<float> gradient = drawn(state.range(0), 0.01F);
  for (auto _ : state) benchmark::DoNotOptimize(sum_of_squares(gradient));
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(sizeof(float)));
}

// Reads two arrays and writes one of them: what memory gives.
void memory_limit(benchmark::State& state) {
  const std::vector<float> from = drawn(state.range(0), 1.0F);
  std::vector<float> to(from.size());
  for (auto _ : state) scale(from, 0.5F, to, true);
  state.SetBytesProcessed(state.iterations() * state.range(0) * 3 * static_cast<std::int64_t>(sizeof(float)));
}

#define WITAN_PARAMETER_COUNTS ->Arg(1 << 16)->Arg(1 << 21)->Arg(1 << 24)->UseRealTime()
BENCHMARK(adamw_step) WITAN_PARAMETER_COUNTS;
BENCHMARK(gradient_norm) WITAN_PARAMETER_COUNTS;
BENCHMARK(memory_limit) WITAN_PARAMETER_COUNTS;

}  // namespace
}  // namespace witan::kernels::adamw_bench
