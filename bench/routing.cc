// What routing costs: gate, router and bookkeeping (sorting, metrics, balance terms) against the forward pass of the
// whole layer, in the same run, for every router of the table. T=4096, D=512, F=512, E=64, k=8 (or the router's own k).
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "base/error.h"
#include "gates/table.h"
#include "layers/moe_layer.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr std::int64_t kRows = 4096;
constexpr std::int64_t kWidth = 512;
constexpr std::int64_t kVocabulary = 4096;

MoeOptions layer_options(const RouterEntry& entry) {
  MoeOptions options;
  options.router = entry.name;
  options.num_experts = 64;
  options.num_experts_per_tok = entry.fixed_experts_per_tok > 0 ? entry.fixed_experts_per_tok : 8;
  options.moe_intermediate_size = 512;
  options.vocab_size = kVocabulary;
  options.max_positions = kRows;
  return options;
}

Tensor normal_rows() {
  Tensor rows = Tensor::uninitialized({kRows, kWidth});
  Random(1).fill_normal(rows.values(), 0.0F, 1.0F);
  return rows;
}

std::vector<std::int32_t> random_tokens() {
  Random random(3);
  std::vector<std::int32_t> tokens(kRows);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random.below(kVocabulary));
  return tokens;
}

// What MoeLayer::forward does besides the experts, taken apart.
struct Parts {
  explicit Parts(const MoeOptions& options)
      : router(find_router(options.router).make(options, kWidth, random)), rules(make_balance_rules(options)) {
    if (find_router(options.router).uses_gate) {
      gate = find_gate(options.gate).make(options, kWidth, options.num_experts, random);
    }
    context.rows = &rows;
  }

  void bookkeep(Tape& tape, const Tensor& scores, const Routing& routing) const {
    Tensor log_normalizers;
    if (scores.defined()) log_normalizers = ops::log_sum_exp(tape, scores);
    benchmark::DoNotOptimize(measure_load(routing, log_normalizers, context));
    for (const auto& rule : rules) {
      const BalanceInput input{log_normalizers, routing, context};
      if (rule->applies(input)) benchmark::DoNotOptimize(rule->term(tape, input));
    }
  }

  Tensor rows = normal_rows();
  std::vector<std::int32_t> token_ids = random_tokens();
  Random random{2};
  RouterContext context{.training = true, .token_ids = token_ids, .random = &random};
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
  const Parts parts(options);
  const Tensor& rows = parts.rows;
  double gate = 0.0;
  double router = 0.0;
  double bookkeeping = 0.0;
  double whole = 0.0;
  try {
    Tape off;
    layer.forward(off, rows, parts.context);
  } catch (const Error& error) {  // a router that is for smaller batches
    state.SkipWithError(error.what());
    return;
  }
  for (auto _ : state) {
    Tape tape(Tape::Mode::kRecording);
    Tensor scores;
    Routing routed;
    const double now_gate = seconds_of([&] {
      if (parts.gate != nullptr) scores = parts.gate->scores(tape, rows);
    });
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
