// Peak memory from the kernel, and an estimate from the sizes of a model.
#include "training/memory.h"

#include <sys/resource.h>

#include "routers/table.h"

namespace witan {

std::size_t peak_resident_bytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

MemoryEstimate estimate_memory(const TrainSettings& settings, const ParameterCounts& counts) {
  constexpr std::int64_t kFloat = sizeof(float);
  const DecoderConfig& model = settings.model;
  MemoryEstimate estimate;
  estimate.weights = counts.total * kFloat;
  estimate.gradients = counts.total * kFloat;
  estimate.moments = 2 * counts.total * kFloat;

  const std::int64_t queries = model.num_attention_heads * model.dim_per_head();
  const std::int64_t keys = model.key_heads() * model.dim_per_head();
  // Floats per token that the backward pass reads again. Attention: two norms' inputs, the norm's output, q, k and v
  // before and after their rotation, and the heads' output.
  const std::int64_t attention = 4 * model.hidden_size + 3 * queries + 3 * keys;
  // Per chosen expert: gate_proj, up_proj, their product, and the expert's output before it is combined; of a single
  // neuron its weight, score, hidden value and name.
  const bool neurons = find_router(model.moe.router).kind == RouterKind::kRetrieval;
  const std::int64_t per_choice = neurons ? 4 : 3 * model.moe.moe_intermediate_size + model.hidden_size;
  const std::int64_t scores = neurons ? 2 * model.moe.router_extra.integer("peer_heads") * observed_experts(model.moe)
                                      : 3 * model.moe.num_experts;
  // One network, however many experts it stands for: its three products, and its output where a gate weighs it.
  const std::int64_t shared_output = model.moe.shared_expert_gate || model.moe.cmr_gate ? model.hidden_size : 0;
  const std::int64_t shared = 3 * model.moe.shared_width() + shared_output;
  const std::int64_t mixture = model.moe.num_experts_per_tok * per_choice + shared + scores;
  const std::int64_t dense = 3 * model.intermediate_size;
  std::int64_t floats = 2 * model.hidden_size;
  for (std::int64_t layer = 0; layer < model.num_hidden_layers; ++layer) {
    floats += attention + (model.is_moe_layer(layer) ? mixture : dense);
  }
  estimate.activations = floats * settings.data.batch_size * settings.data.sequence_length * kFloat;
  return estimate;
}

}  // namespace witan
