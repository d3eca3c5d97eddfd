// How many parameters a model has and where they are, from its config alone: for plans, and before memory is taken for
// what a file promises.
#pragma once

#include "models/decoder.h"

namespace witan {

struct EncoderDecoderConfig;

// Where the parameters are: each number is of one layer, or of one expert.
struct LayerParameters {
  std::int64_t attention = 0;  // with all norms of the layer
  std::int64_t expert = 0;     // of one routed expert
  std::int64_t shared = 0;     // what serves every row beside the routed experts
  std::int64_t dense = 0;      // the feed-forward network of a layer without a mixture
  std::int64_t routing = 0;    // of a mixture: gate and router
};

// What Decoder(config, seed).counts() says, without making the decoder: only one gate and one router, whose files alone
// know their sizes. Throws Error when the config does not validate, or for more parameters than 2^62.
ParameterCounts count_parameters(const DecoderConfig& config);

// Of one layer of this decoder. Throws as count_parameters does.
LayerParameters layer_parameters(const DecoderConfig& config);
// Embedding, head with its mixture, final norm. Throws as count_parameters does.
std::int64_t parameters_outside_layers(const DecoderConfig& config);

// The same of an encoder-decoder: exactly what its files must hold. Relative positions are counted outside the layers.
struct EncoderDecoderCounts {
  ParameterCounts all;            // active: those that work on a source token or on an output token
  std::int64_t output_token = 0;  // parameters that one token of the output reads: no embedding but the head
};
EncoderDecoderCounts count_parameters(const EncoderDecoderConfig& config);
LayerParameters encoder_layer_parameters(const EncoderDecoderConfig& config);
LayerParameters decoder_layer_parameters(const EncoderDecoderConfig& config);
std::int64_t parameters_outside_layers(const EncoderDecoderConfig& config);

// The total without gates and routers. In double, since the product of allowed sizes exceeds 64 bits; exact up to 2^53.
double parameters_without_routing(const DecoderConfig& config);
// Parameters and buffers of all gates and routers, those of one layer being made to be counted; infinity when these do
// not fit into the memory of `most` floats.
double numbers_of_routing(const DecoderConfig& config, double most);

}  // namespace witan
