// Products of sizes, in double: those that a config allows exceed 64 bits. Tests compare them with decoders that were
// built, and with files.
#include "models/parameter_counts.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/pool.h"
#include "gates/table.h"
#include "models/encoder_decoder_config.h"
#include "routers/table.h"

namespace witan {
namespace {

struct Sizes {
  double attention;  // of one layer, with both norms of the block
  double expert;
  double shared;   // what serves every row beside the routed experts
  double dense;    // the feed-forward network of a layer without a mixture
  double outside;  // embedding, head with its mixture, final norm
  double mixtures;
  double dense_layers;
};

double latent_attention_size(const DecoderConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto heads = static_cast<double>(config.num_attention_heads);
  const auto nope = static_cast<double>(config.qk_nope_head_dim);
  const auto rotary = static_cast<double>(config.qk_rope_head_dim);
  const auto value = static_cast<double>(config.v_head_dim);
  const auto latent = static_cast<double>(config.kv_lora_rank);
  const auto q_latent = static_cast<double>(config.q_lora_rank);
  const double bias = config.attention_bias ? q_latent + latent + rotary : 0.0;
  const double output_bias = config.attention_output_bias ? hidden : 0.0;
  const double queries =
      q_latent > 0.0 ? q_latent * (hidden + 1.0 + heads * (nope + rotary)) : hidden * heads * (nope + rotary);
  return queries + hidden * (latent + rotary) + latent * (1.0 + heads * (nope + value)) + hidden * heads * value +
         bias + output_bias;
}

double self_attention_size(const DecoderConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto head_dim = static_cast<double>(config.dim_per_head());
  const auto heads = static_cast<double>(config.num_attention_heads);
  const double queries = heads * head_dim;
  const double keys = static_cast<double>(config.num_key_value_heads) * head_dim;
  const double qk_norms = config.qk_norm == "head" ? 2.0 * head_dim : config.qk_norm == "full" ? queries + keys : 0.0;
  const double biases =
      (config.attention_bias ? queries + 2.0 * keys : 0.0) + (config.attention_output_bias ? hidden : 0.0);
  return 2.0 * hidden * (queries + keys) + qk_norms + biases + (config.attention_sinks ? heads : 0.0);
}

// Of one network of this width.
double feed_forward_size(const DecoderConfig& config, std::int64_t width, bool gated, bool bias) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const double inner = (gated ? 2.0 : 1.0) * static_cast<double>(width);
  return (inner + static_cast<double>(width)) * hidden + (bias ? inner + hidden : 0.0);
}

Sizes sizes_of(const DecoderConfig& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  const auto mixtures = static_cast<double>(config.num_moe_layers());
  const double norm = hidden * (config.norm_bias ? 2.0 : 1.0);
  const double embeddings = vocabulary * hidden * (config.tie_word_embeddings ? 1.0 : 2.0);
  const double softmaxes = config.num_output_softmaxes > 1 ? static_cast<double>(config.num_output_softmaxes) : 0.0;
  const double shared_gate = config.moe.shared_expert_gate ? hidden : 0.0;
  return {
      .attention = 2.0 * norm + (config.is_latent() ? latent_attention_size(config) : self_attention_size(config)),
      .expert = feed_forward_size(config, config.moe.moe_intermediate_size, config.moe.gated, config.moe.expert_bias),
      .shared = feed_forward_size(config, config.moe.shared_width(), config.moe.gated, false) + shared_gate,
      .dense = feed_forward_size(config, config.intermediate_size, config.dense_is_gated(), config.mlp_bias),
      .outside = embeddings + norm + softmaxes * hidden * (hidden + 1.0) + (config.lm_head_bias ? vocabulary : 0.0),
      .mixtures = mixtures,
      .dense_layers = static_cast<double>(config.num_hidden_layers) - mixtures};
}

double total(const Sizes& sizes, double experts_per_mixture) {
  return sizes.outside + (sizes.mixtures + sizes.dense_layers) * sizes.attention + sizes.dense_layers * sizes.dense +
         sizes.mixtures * (experts_per_mixture * sizes.expert + sizes.shared);
}

// Of the gates and the router of one mixture layer, which are made to be counted.
struct RoutingSizes {
  double parameters;
  double buffers;
};

double numbers_in(const std::vector<Parameter>& parameters) {
  double sum = 0.0;
  for (const Parameter& parameter : parameters) sum += static_cast<double>(parameter.value.numel());
  return sum;
}

RoutingSizes routing_sizes(const DecoderConfig& config) {
  Random random(0);
  const MoeOptions moe = config.mixture_options();
  const RouterEntry& entry = find_router(moe.router);
  const auto router = entry.make(moe, config.hidden_size, random);
  RoutingSizes sizes{numbers_in(router->parameters()), numbers_in(router->buffers())};
  if (entry.uses_gate) {
    const auto gate = find_gate(moe.gate).make(moe, config.hidden_size, moe.num_experts, random);
    sizes.parameters += numbers_in(gate->parameters());
  }
  if (moe.cmr_gate) sizes.parameters += static_cast<double>(config.hidden_size + 1);
  return sizes;
}

std::int64_t as_count(double count) { return static_cast<std::int64_t>(count); }

void check_countable(double parameters) {
  constexpr double kMost = 4.6e18;
  if (parameters > kMost) fail("model: {:.3g} parameters are more than can be counted", parameters);
}

Sizes checked_sizes(const DecoderConfig& config) {
  config.validate();
  const Sizes sizes = sizes_of(config);
  check_countable(total(sizes, static_cast<double>(config.moe.num_experts)));
  return sizes;
}

// The encoder, or the decoder, of an encoder-decoder.
struct StackSizes {
  double attention;  // of one layer, with all norms of the layer
  double network;    // dense, or of one expert
  double routing;
  double layers;
  double mixtures;
  double outside;  // final norm and relative positions
  double source;   // of all layers: what turns the source into keys and values, once and not for each token
};

StackSizes stack_sizes(const EncoderDecoderConfig& config, const StackConfig& stack, double attentions) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(stack.intermediate_size);
  const auto heads = static_cast<double>(stack.num_heads);
  const auto layers = static_cast<double>(stack.num_layers());
  const double width = heads * static_cast<double>(stack.head_dim);
  const double norm = hidden * (config.norm.bias ? 2.0 : 1.0);
  const double projections = 4.0 * hidden * width + (config.bias ? 3.0 * width + hidden : 0.0);
  return {.attention = attentions * (projections + norm) + norm,
          .network = 2.0 * hidden * inner + (config.bias ? inner + hidden : 0.0),
          .routing = static_cast<double>(config.num_experts) * (hidden + (config.router_bias ? 1.0 : 0.0)),
          .layers = layers,
          .mixtures = static_cast<double>(std::ranges::count(stack.sparse, true)),
          .outside = norm + static_cast<double>(config.relative_attention_num_buckets) * heads,
          .source = layers * (attentions - 1.0) * 2.0 * width * (hidden + (config.bias ? 1.0 : 0.0))};
}

double total(const StackSizes& sizes, double experts_per_mixture) {
  return sizes.outside + sizes.layers * sizes.attention + (sizes.layers - sizes.mixtures) * sizes.network +
         sizes.mixtures * (experts_per_mixture * sizes.network + sizes.routing);
}

struct EncoderDecoderSizes {
  StackSizes encoder;
  StackSizes decoder;
  double table;   // of the embedding, and of a head of its own
  double tables;  // of both
};

double total(const EncoderDecoderSizes& sizes, double experts_per_mixture) {
  return sizes.tables + total(sizes.encoder, experts_per_mixture) + total(sizes.decoder, experts_per_mixture);
}

EncoderDecoderSizes checked_sizes(const EncoderDecoderConfig& config) {
  config.validate();
  const double table = static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  const EncoderDecoderSizes sizes{.encoder = stack_sizes(config, config.encoder, 1.0),
                                  .decoder = stack_sizes(config, config.decoder, 2.0),
                                  .table = table,
                                  .tables = table * (config.tie_word_embeddings ? 1.0 : 2.0)};
  check_countable(total(sizes, static_cast<double>(config.num_experts)));
  return sizes;
}

LayerParameters layer_parameters_of(const StackSizes& sizes) {
  return {.attention = as_count(sizes.attention),
          .expert = as_count(sizes.network),
          .shared = 0,
          .dense = as_count(sizes.network),
          .routing = as_count(sizes.routing)};
}

}  // namespace

LayerParameters layer_parameters(const DecoderConfig& config) {
  const Sizes sizes = checked_sizes(config);
  return {.attention = as_count(sizes.attention),
          .expert = as_count(sizes.expert),
          .shared = as_count(sizes.shared),
          .dense = as_count(sizes.dense),
          .routing = sizes.mixtures > 0.0 ? as_count(routing_sizes(config).parameters) : 0};
}

std::int64_t parameters_outside_layers(const DecoderConfig& config) { return as_count(checked_sizes(config).outside); }

LayerParameters encoder_layer_parameters(const EncoderDecoderConfig& config) {
  return layer_parameters_of(checked_sizes(config).encoder);
}

LayerParameters decoder_layer_parameters(const EncoderDecoderConfig& config) {
  return layer_parameters_of(checked_sizes(config).decoder);
}

std::int64_t parameters_outside_layers(const EncoderDecoderConfig& config) {
  const EncoderDecoderSizes sizes = checked_sizes(config);
  return as_count(sizes.tables + sizes.encoder.outside + sizes.decoder.outside);
}

double parameters_without_routing(const DecoderConfig& config) {
  return total(sizes_of(config), static_cast<double>(config.moe.num_experts));
}

double numbers_of_routing(const DecoderConfig& config, double most) {
  constexpr double kHandles = 1 << 20;  // bytes that the objects take beside their numbers
  const auto mixtures = static_cast<double>(config.num_moe_layers());
  if (mixtures == 0.0) return 0.0;
  try {
    const PoolLimit limit(static_cast<std::size_t>(most * sizeof(float) + kHandles));
    const RoutingSizes sizes = routing_sizes(config);
    return mixtures * (sizes.parameters + sizes.buffers);
  } catch (const PoolLimitReached&) {
    return std::numeric_limits<double>::infinity();
  }
}

ParameterCounts count_parameters(const DecoderConfig& config) {
  const Sizes sizes = checked_sizes(config);
  const double routing = sizes.mixtures > 0.0 ? sizes.mixtures * routing_sizes(config).parameters : 0.0;
  return {as_count(total(sizes, static_cast<double>(config.moe.num_experts)) + routing),
          as_count(total(sizes, static_cast<double>(config.moe.num_experts_per_tok)) + routing)};
}

EncoderDecoderCounts count_parameters(const EncoderDecoderConfig& config) {
  const EncoderDecoderSizes sizes = checked_sizes(config);
  const auto used = static_cast<double>(config.routing.choices);
  return {.all = {as_count(total(sizes, static_cast<double>(config.num_experts))), as_count(total(sizes, used))},
          .output_token = as_count(sizes.table + total(sizes.decoder, used) - sizes.decoder.source)};
}

}  // namespace witan
