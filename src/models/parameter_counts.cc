// Products of sizes. A test compares them with decoders that were built.
#include "models/parameter_counts.h"

#include "base/error.h"
#include "gates/table.h"
#include "layers/parameters.h"
#include "routers/table.h"

namespace witan {
namespace {

struct Sizes {
  double attention;  // of one layer, with both norms of the block
  double expert;
  double dense;    // the feed-forward network of a layer without a mixture
  double outside;  // embedding, head with its mixture, final norm
  double mixtures;
  double dense_layers;
};

Sizes sizes_of(const DecoderConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto head_dim = static_cast<double>(config.dim_per_head());
  const double queries = static_cast<double>(config.num_attention_heads) * head_dim;
  const double keys = static_cast<double>(config.num_key_value_heads) * head_dim;
  const double qk_norms = config.qk_norm == "head" ? 2.0 * head_dim : config.qk_norm == "full" ? queries + keys : 0.0;
  const double matrices = config.moe.gated ? 3.0 : 2.0;
  const auto mixtures = static_cast<double>(config.num_hidden_layers / config.decoder_sparse_step);
  const double embeddings = static_cast<double>(config.vocab_size) * hidden * (config.tie_word_embeddings ? 1.0 : 2.0);
  const double softmaxes = config.num_output_softmaxes > 1 ? static_cast<double>(config.num_output_softmaxes) : 0.0;
  return {.attention = 2.0 * hidden * (queries + keys) + qk_norms + 2.0 * hidden,
          .expert = matrices * hidden * static_cast<double>(config.moe.moe_intermediate_size),
          .dense = matrices * hidden * static_cast<double>(config.intermediate_size),
          .outside = embeddings + hidden + softmaxes * hidden * (hidden + 1.0),
          .mixtures = mixtures,
          .dense_layers = static_cast<double>(config.num_hidden_layers) - mixtures};
}

double total(const Sizes& sizes, double experts_per_mixture) {
  return sizes.outside + (sizes.mixtures + sizes.dense_layers) * sizes.attention + sizes.dense_layers * sizes.dense +
         sizes.mixtures * experts_per_mixture * sizes.expert;
}

// Parameters of the gates and the router of one mixture layer.
double routing_parameters(const DecoderConfig& config) {
  Random random(0);
  const MoeOptions moe = config.mixture_options();
  const RouterEntry& entry = find_router(moe.router);
  const auto router = entry.make(moe, config.hidden_size, random);
  std::vector<Parameter> all = router->parameters();
  if (entry.uses_gate) {
    const auto gate = find_gate(moe.gate).make(moe, config.hidden_size, moe.num_experts, random);
    append_prefixed(all, "gate.", gate->parameters());
  }
  double sum = moe.cmr_gate ? static_cast<double>(config.hidden_size + 1) : 0.0;
  for (const Parameter& parameter : all) sum += static_cast<double>(parameter.value.numel());
  return sum;
}

}  // namespace

double parameters_without_routing(const DecoderConfig& config) {
  return total(sizes_of(config), static_cast<double>(config.moe.num_experts + config.moe.n_shared_experts));
}

ParameterCounts count_parameters(const DecoderConfig& config) {
  config.validate();
  const Sizes sizes = sizes_of(config);
  const double all = parameters_without_routing(config);
  constexpr double kMost = 4.6e18;
  if (all > kMost) fail("model: {:.3g} parameters are more than can be counted", all);
  const double routing = sizes.mixtures > 0.0 ? sizes.mixtures * routing_parameters(config) : 0.0;
  const auto used = static_cast<double>(config.moe.num_experts_per_tok + config.moe.n_shared_experts);
  return {static_cast<std::int64_t>(all + routing), static_cast<std::int64_t>(total(sizes, used) + routing)};
}

}  // namespace witan
