// What routing costs: gate, router and bookkeeping (sorting, metrics, balance terms) against the forward pass of the
// whole layer, in the same run, for every router of the table. T=4096, D=512, F=512, E=64, k=8 (or the router's own k).
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "gates/table.h"
#include "layers/moe_layer.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr std::int64_t kRows = 4096;
constexpr std::int64_t kWidth = 512;

MoeOptions layer_options(const RouterEntry& entry) {
  MoeOptions options;
  options.router = entry.name;
  options.num_experts = 64;
  options.num_experts_per_tok = entry.fixed_experts_per_tok > 0 ? entry.fixed_experts_per_tok : 8;
  options.moe_intermediate_size = 512;
  return options;
}

Tensor normal_rows() {
  Tensor rows = Tensor::uninitialized({kRows, kWidth});
  Random(1).fill_normal(rows.values(), 0.0F, 1.0F);
  return rows;
}

// What MoeLayer::forward does besides the experts, taken apart.
struct Parts {
  explicit Parts(const MoeOptions& options)
      : gate(find_gate(options.gate).make(options, kWidth, options.num_experts, random)),
        router(find_router(options.router).make(options, kWidth, random)),
        rules(make_balance_rules(options)) {}

  void bookkeep(Tape& tape, const Tensor& scores, const Routing& routing) const {
    const Tensor log_normalizers = ops::log_sum_exp(tape, scores);
    benchmark::DoNotOptimize(measure_load(routing, log_normalizers, context));
    for (const auto& rule : rules) benchmark::DoNotOptimize(rule->term(tape, {log_normalizers, routing, context}));
  }

  Random random{2};
  RouterContext context{.training = true, .random = &random};
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Router> router;
  std::vector<std::unique_ptr<BalanceRule>> rules;
};

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Time: gate, router and bookkeeping. The counters are each part's share of the layer's forward pass, in percent.
void routing(benchmark::State& state, const RouterEntry& entry) {
  const MoeOptions options = layer_options(entry);
  Random random(2);
  MoeLayer layer(kWidth, options, random);
  const Tensor rows = normal_rows();
  Parts parts(options);
  parts.context.rows = &rows;  // as the layer does
  double gate = 0.0;
  double router = 0.0;
  double bookkeeping = 0.0;
  double whole = 0.0;
  for (auto _ : state) {
    Tape tape(Tape::Mode::kRecording);
    Tensor scores;
    Routing routed;
    const double now_gate = seconds_of([&] { scores = parts.gate->scores(tape, rows); });
    const double now_router = seconds_of([&] { routed = parts.router->route(tape, scores, parts.context); });
    const double now_bookkeeping = seconds_of([&] { parts.bookkeep(tape, scores, routed); });
    whole += seconds_of([&] { benchmark::DoNotOptimize(layer.forward(tape, rows, parts.context)); });
    state.SetIterationTime(now_gate + now_router + now_bookkeeping);
    gate += now_gate;
    router += now_router;
    bookkeeping += now_bookkeeping;
  }
  state.counters["gate_%"] = 100.0 * gate / whole;
  state.counters["router_%"] = 100.0 * router / whole;
  state.counters["bookkeeping_%"] = 100.0 * bookkeeping / whole;
  state.counters["routing_%"] = 100.0 * (gate + router + bookkeeping) / whole;
  state.counters["layer_ms"] = 1e3 * whole / static_cast<double>(state.iterations());
}

void register_all() {
  for (const RouterEntry& entry : router_table()) {
    if (entry.kind != RouterKind::kChoice) continue;  // no experts are chosen of these 64
    benchmark::RegisterBenchmark(("routing/" + entry.name).c_str(), routing, entry)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(10);
  }
}

}  // namespace
}  // namespace witan

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  witan::register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
