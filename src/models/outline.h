// The names and shapes of a decoder's parameters from its config alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/config.h"
#include "models/stored_pieces.h"

namespace witan {

// A bank of feed-forward networks as FeedForwardExperts::parameters() has it, its names behind `prefix`
// ("model.layers.0.mlp."): gate_proj [E, F, D] when gated, up_proj, down_proj [E, D, F], and biases.
std::vector<ParameterOutline> feed_forward_outline(std::string_view prefix, std::int64_t num_experts,
                                                   std::int64_t hidden_size, std::int64_t width, bool gated, bool bias);

// All parameters but those of feed-forward parts ("model.layers.N.mlp."). Takes the memory of one layer's attention.
std::vector<ParameterOutline> outline_without_feed_forward(const DecoderConfig& config);

// All parameters of a decoder without mixtures.
std::vector<ParameterOutline> dense_outline(const DecoderConfig& config);

// Parameters and buffers of the gates and routers of all mixture layers. Makes one gate and one router to ask them.
std::vector<ParameterOutline> routing_outline(const DecoderConfig& config);

// All that a checkpoint of this decoder holds: parameters and buffers. Takes the memory of one layer without its
// experts.
std::vector<ParameterOutline> decoder_outline(const DecoderConfig& config);

// "model.layers.3.mlp."
std::string feed_forward_prefix(std::int64_t layer);

// "model.layers.3.mlp.experts.up_proj" -> 3, "experts.up_proj"; a parameter of no feed-forward part: -1 and all of it.
struct FeedForwardName {
  std::int64_t layer = -1;
  std::string local;
};
FeedForwardName feed_forward_name(std::string_view parameter);

// `config` without a mixture in any layer, and without whatever mixtures alone read.
DecoderConfig without_mixtures(const DecoderConfig& config);

}  // namespace witan
