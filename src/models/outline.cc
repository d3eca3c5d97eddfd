// One layer of the smallest vocabulary is built, and its names are repeated for all.
#include "models/outline.h"

#include <fmt/core.h>

#include <charconv>

#include "base/random.h"
#include "gates/table.h"
#include "models/decoder.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.";
constexpr std::string_view kFirstLayer = "model.layers.0.";
constexpr std::string_view kFeedForward = "mlp.";

}  // namespace

std::vector<ParameterOutline> feed_forward_outline(std::string_view prefix, std::int64_t num_experts,
                                                   std::int64_t hidden_size, std::int64_t width, bool gated,
                                                   bool bias) {
  std::vector<ParameterOutline> outline;
  const auto add = [&](const char* name, const Shape& shape) {
    outline.push_back({std::string(prefix) + name, shape});
  };
  if (gated) add("gate_proj", {num_experts, width, hidden_size});
  add("up_proj", {num_experts, width, hidden_size});
  add("down_proj", {num_experts, hidden_size, width});
  if (!bias) return outline;
  if (gated) add("gate_proj_bias", {num_experts, width});
  add("up_proj_bias", {num_experts, width});
  add("down_proj_bias", {num_experts, hidden_size});
  return outline;
}

std::vector<ParameterOutline> outline_without_feed_forward(const DecoderConfig& config) {
  DecoderConfig single = without_mixtures(config);
  single.num_hidden_layers = 1;
  single.vocab_size = 1;
  single.intermediate_size = 1;
  single.full_attention_layers.clear();
  std::vector<ParameterOutline> outline;
  for (const Parameter& parameter : Decoder::with_zeros(single)->parameters()) {
    const Shape& shape = parameter.value.shape();
    const std::string_view name = parameter.name;
    if (name == "model.embed_tokens.weight" || name == "lm_head.weight") {
      outline.push_back({parameter.name, {config.vocab_size, config.hidden_size}});
    } else if (name == "lm_head.bias") {
      outline.push_back({parameter.name, {config.vocab_size}});
    } else if (!name.starts_with(kFirstLayer)) {
      outline.push_back({parameter.name, shape});
    } else if (const std::string_view local = name.substr(kFirstLayer.size()); !local.starts_with(kFeedForward)) {
      for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        outline.push_back({fmt::format("{}{}.{}", kLayerPrefix, layer, local), shape});
      }
    }
  }
  return outline;
}

std::vector<ParameterOutline> dense_outline(const DecoderConfig& config) {
  std::vector<ParameterOutline> outline = outline_without_feed_forward(config);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::vector<ParameterOutline> network = feed_forward_outline(
        feed_forward_prefix(layer), 1, config.hidden_size, config.intermediate_size, config.moe.gated, config.mlp_bias);
    outline.insert(outline.end(), network.begin(), network.end());
  }
  return outline;
}

std::vector<ParameterOutline> routing_outline(const DecoderConfig& config) {
  if (config.num_moe_layers() == 0) return {};
  Random random(0);
  const MoeOptions moe = config.mixture_options();
  const RouterEntry& entry = find_router(moe.router);
  std::vector<ParameterOutline> outline;
  const auto add = [&](const char* prefix, const std::vector<Parameter>& parts) {
    for (const Parameter& part : parts) {
      for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        if (!config.is_moe_layer(layer)) continue;
        outline.push_back({feed_forward_prefix(layer) + prefix + part.name, part.value.shape()});
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

std::vector<ParameterOutline> decoder_outline(const DecoderConfig& config) {
  std::vector<ParameterOutline> outline = outline_without_feed_forward(config);
  const MoeOptions moe = config.mixture_options();
  const std::int64_t width = config.hidden_size;
  const auto append = [&](const std::vector<ParameterOutline>& part) {
    outline.insert(outline.end(), part.begin(), part.end());
  };
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = feed_forward_prefix(layer);
    if (!config.is_moe_layer(layer)) {
      append(
          feed_forward_outline(prefix, 1, width, config.intermediate_size, config.dense_is_gated(), config.mlp_bias));
      continue;
    }
    append(feed_forward_outline(prefix + "experts.", moe.num_experts, width, moe.moe_intermediate_size, moe.gated,
                                moe.expert_bias));
    if (moe.shared_width() > 0) {
      append(feed_forward_outline(prefix + "shared_expert.", 1, width, moe.shared_width(), moe.gated, false));
    }
    if (moe.shared_expert_gate) outline.push_back({prefix + "shared_expert_gate.weight", {1, width}});
    if (moe.cmr_gate) {
      outline.push_back({prefix + "cmr_gate.weight", {1, width}});
      outline.push_back({prefix + "cmr_gate.bias", {1}});
    }
  }
  append(routing_outline(config));
  return outline;
}

std::string feed_forward_prefix(std::int64_t layer) {
  return fmt::format("{}{}.{}", kLayerPrefix, layer, kFeedForward);
}

FeedForwardName feed_forward_name(std::string_view parameter) {
  FeedForwardName other{-1, std::string(parameter)};
  if (!parameter.starts_with(kLayerPrefix)) return other;
  const std::string_view rest = parameter.substr(kLayerPrefix.size());
  FeedForwardName name;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), name.layer);
  const std::string_view local = rest.substr(static_cast<std::size_t>(end - rest.data()));
  if (error != std::errc() || !local.starts_with(".mlp.")) return other;
  name.local = local.substr(std::string_view(".mlp.").size());
  return name;
}

DecoderConfig without_mixtures(const DecoderConfig& config) {
  DecoderConfig dense = config;
  dense.model_type.clear();
  dense.first_k_dense_replace = config.num_hidden_layers;
  dense.decoder_sparse_step = 1;
  dense.mlp_only_layers.clear();
  dense.allow_noncausal = false;
  dense.moe = MoeOptions();
  dense.moe.hidden_act = config.moe.hidden_act;
  dense.moe.gated = config.dense_is_gated();
  dense.mlp_gated = "as_experts";
  return dense;
}

}  // namespace witan
