// How fast the kernels that are bound by memory run: normalisation, rotary embedding, softmax. Bytes are those that
// must be read and written once; the bound is what a copy of as many bytes reaches.
#include "kernels/norm.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "base/parallel.h"
#include "kernels/rope.h"
#include "kernels/softmax.h"
#include "support/matrix_problem.h"

namespace witan::kernels::norm_bench {
namespace {

using Problem = bench::MatrixProblem;
using bench::normals;
using bench::report_bytes;

void copy(benchmark::State& state) {
  Problem p(state);
  for ([[maybe_unused]] auto _ : state) {
    parallel_for(p.rows, 1, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(p.y.data() + begin * p.cols, p.x.data() + begin * p.cols,
                  static_cast<std::size_t>((end - begin) * p.cols) * sizeof(float));
    });
    benchmark::ClobberMemory();
  }
  report_bytes(state, p, 2);
}

void rms_norm_forward(benchmark::State& state) {
  Problem p(state);
  const std::int64_t width = state.range(2);
  const std::vector<float> weight = normals(width, 5);
  std::vector<float> inverse(static_cast<std::size_t>(p.rows * p.cols / width));
  for ([[maybe_unused]] auto _ : state) {
    rms_norm(p.view(p.x), weight.data(), width, 1e-5F, p.view(p.y), inverse.data());
  }
  report_bytes(state, p, 2);
}

void rms_norm_gradient(benchmark::State& state) {
  Problem p(state);
  const std::int64_t width = state.range(2);
  const std::vector<float> weight = normals(width, 5);
  std::vector<float> dweight(weight);
  std::vector<float> inverse(static_cast<std::size_t>(p.rows * p.cols / width));
  rms_norm(p.view(p.x), weight.data(), width, 1e-5F, p.view(p.y), inverse.data());
  for ([[maybe_unused]] auto _ : state) {
    rms_norm_backward(p.view(p.dy), p.view(p.x), weight.data(), width, inverse.data(), {p.view(p.dx), false},
                      {dweight.data(), false});
  }
  report_bytes(state, p, 3);
}

void layer_norm_forward(benchmark::State& state) {
  Problem p(state);
  const std::vector<float> weight = normals(p.cols, 5);
  for ([[maybe_unused]] auto _ : state) {
    layer_norm(p.view(p.x), weight.data(), weight.data(), 1e-5F, p.view(p.y), nullptr, nullptr);
  }
  report_bytes(state, p, 2);
}

// The gradient is turned back and added to what is there.
void turn(benchmark::State& state, bool gradient) {
  Problem p(state);
  const std::int64_t head_dim = state.range(2);
  const std::vector<float> table = normals(256 * head_dim / 2, 5);
  std::vector<std::int32_t> positions;
  for (std::int64_t r = 0; r < p.rows; ++r) positions.push_back(static_cast<std::int32_t>(r % 256));
  for ([[maybe_unused]] auto _ : state) {
    rope(p.view(p.x), head_dim, table.data(), table.data(), positions.data(), gradient, p.view(p.y), gradient);
  }
  report_bytes(state, p, gradient ? 3 : 2);
}
void rope_forward(benchmark::State& state) { turn(state, false); }
void rope_gradient(benchmark::State& state) { turn(state, true); }

void softmax_forward(benchmark::State& state) {
  Problem p(state);
  for ([[maybe_unused]] auto _ : state) softmax(p.view(p.x), p.view(p.y));
  report_bytes(state, p, 2);
}

void softmax_gradient(benchmark::State& state) {
  Problem p(state);
  softmax(p.view(p.x), p.view(p.y));
  for ([[maybe_unused]] auto _ : state) softmax_backward(p.view(p.dy), p.view(p.y), p.view(p.dx), false);
  report_bytes(state, p, 3);
}

BENCHMARK(copy)->ArgNames({"rows", "cols"})->Args({2048, 256})->Args({2048, 2048})->UseRealTime();
BENCHMARK(rms_norm_forward)
    ->ArgNames({"rows", "cols", "width"})
    ->Args({2048, 256, 256})
    ->Args({2048, 256, 32})
    ->Args({2048, 2048, 2048})
    ->UseRealTime();
BENCHMARK(rms_norm_gradient)
    ->ArgNames({"rows", "cols", "width"})
    ->Args({2048, 256, 256})
    ->Args({2048, 256, 32})
    ->Args({2048, 2048, 2048})
    ->UseRealTime();
BENCHMARK(layer_norm_forward)->ArgNames({"rows", "cols"})->Args({2048, 256})->Args({2048, 2048})->UseRealTime();
BENCHMARK(rope_forward)->ArgNames({"rows", "cols", "head_dim"})->Args({2048, 256, 32})->UseRealTime();
BENCHMARK(rope_gradient)->ArgNames({"rows", "cols", "head_dim"})->Args({2048, 256, 32})->UseRealTime();
BENCHMARK(softmax_gradient)->ArgNames({"rows", "cols"})->Args({2048, 16})->Args({2048, 64})->UseRealTime();
BENCHMARK(softmax_forward)->ArgNames({"rows", "cols"})->Args({2048, 16})->Args({2048, 64})->UseRealTime();

}  // namespace
}  // namespace witan::kernels::norm_bench
