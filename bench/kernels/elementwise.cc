// How fast nonlinearities and plain arithmetic run on whole arrays. Bytes are those that must be read and written once;
// the bound is the copy of norm.cc. Inside the experts the nonlinearity runs on blocks that are still in the
// cache: see bench_moe_layer for that.
#include "kernels/elementwise.h"

#include "kernels/activation.h"
#include "kernels/bias.h"
#include "support/matrix_problem.h"

namespace witan::kernels::elementwise_bench {
namespace {

using Problem = bench::MatrixProblem;
using bench::report_bytes;

void activation_forward(benchmark::State& state) {
  Problem p(state);
  const auto kind = static_cast<Activation>(state.range(2));
  for ([[maybe_unused]] auto _ : state) activation(kind, p.x, p.y);
  state.SetLabel(std::string(activation_name(kind)));
  report_bytes(state, p, 2);
}

void gated_forward(benchmark::State& state) {
  Problem p(state);
  const auto kind = static_cast<Activation>(state.range(2));
  for ([[maybe_unused]] auto _ : state) gated_activation(kind, p.x, p.y, p.dx);
  state.SetLabel(std::string(activation_name(kind)));
  report_bytes(state, p, 3);
}

void gated_gradient(benchmark::State& state) {
  Problem p(state);
  const auto kind = static_cast<Activation>(state.range(2));
  std::vector<float> d_up(p.dx);
  for ([[maybe_unused]] auto _ : state) {
    gated_activation_backward(kind, p.x, p.y, p.dy, {p.dx.data(), false}, {d_up.data(), false});
  }
  state.SetLabel(std::string(activation_name(kind)));
  report_bytes(state, p, 5);
}

void sum_of_two(benchmark::State& state) {
  Problem p(state);
  for ([[maybe_unused]] auto _ : state) add(p.x, p.dy, p.y);
  report_bytes(state, p, 3);
}

void scaled_rows(benchmark::State& state) {
  Problem p(state);
  const std::vector<float> factors = bench::normals(p.rows, 5);
  for ([[maybe_unused]] auto _ : state) scale_rows(p.view(p.x), factors, p.view(p.y), false);
  report_bytes(state, p, 2);
}

void dots_of_rows(benchmark::State& state) {
  Problem p(state);
  std::vector<float> dots(static_cast<std::size_t>(p.rows));
  for ([[maybe_unused]] auto _ : state) row_dots(p.view(p.x), p.view(p.dy), dots, false);
  report_bytes(state, p, 2);
}

void bias_forward(benchmark::State& state) {
  Problem p(state);
  const std::vector<float> bias = bench::normals(p.cols, 5);
  for ([[maybe_unused]] auto _ : state) add_row(bias, p.view(p.y));
  report_bytes(state, p, 2);
}

void bias_gradient(benchmark::State& state) {
  Problem p(state);
  std::vector<float> sums(static_cast<std::size_t>(p.cols));
  for ([[maybe_unused]] auto _ : state) sum_rows(p.view(p.dy), sums, false);
  report_bytes(state, p, 1);
}

void every_activation(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "cols", "kind"})->UseRealTime();
  for (int kind = 0; kind < 4; ++kind) benchmark->Args({2048, 512, kind});
}

BENCHMARK(activation_forward)->Apply(every_activation);
BENCHMARK(gated_forward)->Apply(every_activation);
BENCHMARK(gated_gradient)->Apply(every_activation);
BENCHMARK(sum_of_two)->ArgNames({"rows", "cols"})->Args({2048, 256})->UseRealTime();
BENCHMARK(scaled_rows)->ArgNames({"rows", "cols"})->Args({2048, 256})->UseRealTime();
BENCHMARK(dots_of_rows)->ArgNames({"rows", "cols"})->Args({2048, 256})->UseRealTime();
BENCHMARK(bias_forward)->ArgNames({"rows", "cols"})->Args({2048, 256})->UseRealTime();
BENCHMARK(bias_gradient)->ArgNames({"rows", "cols"})->Args({2048, 256})->UseRealTime();

}  // namespace
}  // namespace witan::kernels::elementwise_bench
