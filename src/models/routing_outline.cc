// One gate and one router, asked for all layers.
#include "models/routing_outline.h"

#include <fmt/core.h>

#include "base/random.h"
#include "gates/table.h"
#include "routers/table.h"

namespace witan {

std::vector<ParameterOutline> routing_outline(const DecoderConfig& config) {
  Random random(0);
  const MoeOptions moe = config.mixture_options();
  const RouterEntry& entry = find_router(moe.router);
  std::vector<ParameterOutline> outline;
  const auto add = [&](const char* prefix, const std::vector<Parameter>& parts) {
    for (const Parameter& part : parts) {
      for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        if (!config.is_moe_layer(layer)) continue;
        outline.push_back({fmt::format("model.layers.{}.mlp.{}{}", layer, prefix, part.name), part.value.shape()});
      }
    }
  };
  const auto router = entry.make(moe, config.hidden_size, random);
  add("router.", router->parameters());
  add("router.", router->buffers());
  if (entry.uses_gate) {
    add("gate.", find_gate(moe.gate).make(moe, config.hidden_size, moe.num_experts, random)->parameters());
  }
  return outline;
}

}  // namespace witan
