// Gate and router of one layer against the whole of it.
#include "training/routing_cost.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "gates/table.h"
#include "routers/table.h"

namespace witan {
namespace {

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

RoutingCost measure_routing_cost(const DecoderConfig& model, std::int64_t num_rows, std::int64_t sequence) {
  constexpr int kPasses = 5;
  MoeOptions moe = model.mixture_options();
  moe.initializer_range = 0.02;
  Random random(1);
  MoeLayer layer(model.hidden_size, moe, random);
  const RouterEntry& entry = find_router(moe.router);
  const std::unique_ptr<Gate> gate =
      entry.uses_gate ? find_gate(moe.gate).make(moe, model.hidden_size, moe.num_experts, random) : nullptr;
  const Tensor rows = Tensor::uninitialized({num_rows, model.hidden_size});
  random.fill_normal(rows.values(), 0.0F, 1.0F);
  const Tensor embedding = Tensor::uninitialized({model.vocab_size, model.hidden_size});
  random.fill_normal(embedding.values(), 0.0F, 1.0F);
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(model.vocab_size), 1);
  layer.router().prepare({counts, &embedding});
  std::vector<std::int32_t> ids(static_cast<std::size_t>(num_rows));
  for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(model.vocab_size)));
  RouterContext context;
  context.training = true;
  context.rows_per_sequence = sequence;
  context.token_ids = ids;
  context.random = &random;
  context.rows = &rows;

  double routing = std::numeric_limits<double>::infinity();
  double whole = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < kPasses; ++pass) {
    Tape tape(Tape::Mode::kRecording);
    routing = std::min(routing, seconds_of([&] {
                         const Tensor scores = gate != nullptr ? gate->scores(tape, rows) : Tensor();
                         layer.router().route(tape, scores, context);
                       }));
    tape.clear();
    whole = std::min(whole, seconds_of([&] { layer.forward(tape, rows, context); }));
  }
  return {1e6 * routing / static_cast<double>(num_rows), std::min(1.0, routing / whole)};
}

}  // namespace witan
