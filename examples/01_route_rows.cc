// 1. Route a handful of rows through a mixture layer and look at who serves whom.
// Build: the checks do; run: build/release/examples/01_route_rows
#include <fmt/core.h>

#include "layers/moe_layer.h"

int main() {
  witan::MoeOptions options;
  options.num_experts = 4;
  options.num_experts_per_tok = 2;
  options.moe_intermediate_size = 16;

  witan::Random random(/*seed=*/7);
  witan::MoeLayer layer(/*hidden_size=*/8, options, random);

  witan::Tensor rows = witan::Tensor::uninitialized({6, 8});
  random.fill_normal(rows.values(), 0.0F, 1.0F);

  witan::Tape tape;  // off: nothing is kept for a backward pass
  const witan::MoeOutput output = layer.forward(tape, rows, witan::RouterContext{});

  const witan::Assignment& assignment = *output.routing.assignment;
  for (std::int64_t expert = 0; expert < assignment.num_experts; ++expert) {
    fmt::print("expert {} serves", expert);
    const auto begin = static_cast<std::size_t>(assignment.expert_offsets[static_cast<std::size_t>(expert)]);
    for (std::size_t i = 0; i < assignment.rows_of(expert).size(); ++i) {
      fmt::print("  row {} ({:.2f})", assignment.row_indices[begin + i], assignment.combine_weights[begin + i]);
    }
    fmt::print("\n");
  }
  fmt::print("max/mean load {:.2f}, router entropy {:.2f} nats\n", output.metrics.max_over_mean_load,
             output.metrics.router_entropy);
  return 0;
}
