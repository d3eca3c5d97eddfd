// What a row costs when it retrieves single neurons by product keys, over the number of neurons: 2^10 to 2^20. The
// search grows as their square root, the experts' part does not grow but for the caches that it leaves. D=64, 1024
// rows, 8 heads of 16 neurons, sub-keys of width 32.
#include <benchmark/benchmark.h>

#include <ctime>

#include "layers/moe_layer.h"
#include "routers/table.h"
#include "training/optimizer.h"

namespace witan {
namespace {

constexpr std::int64_t kRows = 1024;
constexpr std::int64_t kWidth = 64;

MoeOptions layer_options(std::int64_t num_experts) {
  MoeOptions options;
  options.router = "peer";
  options.num_experts = num_experts;
  options.num_experts_per_tok = 128;
  options.moe_intermediate_size = 1;
  options.gated = false;
  options.hidden_act = "gelu";
  options.fields().find("peer_key_size").set("32");
  return options;
}

// Of the processor, not of the clock: a curve over sizes must not show what else the machine did meanwhile.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(const auto& work) {
  const double begin = processor_seconds();
  work();
  return processor_seconds() - begin;
}

// Time: a whole training step of the layer, of the processor. The counters are microseconds per row; search + experts =
// forward.
void peer(benchmark::State& state) {
  const MoeOptions options = layer_options(state.range(0));
  Random random(2);
  MoeLayer layer(kWidth, options, random);
  AdamW optimizer(layer.parameters(), {});
  const Tensor rows = Tensor::uninitialized({kRows, kWidth});
  Random(1).fill_normal(rows.values(), 0.0F, 1.0F);
  RouterContext context{.training = true, .random = &random};
  context.rows = &rows;
  double search = 0.0;
  double forward = 0.0;
  double backward = 0.0;
  double update = 0.0;
  const auto step = [&] {
    search += seconds_of([&] {
      Tape off;
      benchmark::DoNotOptimize(layer.router().route(off, {}, context));
    });
    Tape tape(Tape::Mode::kRecording);
    MoeOutput output;
    forward += seconds_of([&] { output = layer.forward(tape, rows, context); });
    backward += seconds_of([&] { tape.backward(output.rows, output.rows); });
    update += seconds_of([&] { optimizer.step(1e-3, optimizer.gradient_norm()); });
  };
  step();  // takes the memory
  search = forward = backward = update = 0.0;
  for (auto _ : state) {
    const double before = forward + backward + update;
    step();
    state.SetIterationTime(forward + backward + update - before);
  }
  const double per_row = 1e6 / (static_cast<double>(state.iterations()) * static_cast<double>(kRows));
  state.counters["search"] = search * per_row;
  state.counters["experts"] = (forward - search) * per_row;
  state.counters["forward"] = forward * per_row;
  state.counters["backward"] = backward * per_row;
  state.counters["adamw"] = update * per_row;
}

BENCHMARK(peer)->RangeMultiplier(4)->Range(1 << 10, 1 << 20)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace witan

BENCHMARK_MAIN();
