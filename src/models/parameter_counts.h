// How many parameters a decoder has, from its config alone: for plans, and before memory is taken for what a file
// promises.
#pragma once

#include "models/decoder.h"

namespace witan {

// What Decoder(config, seed).counts() says, without making the decoder: only one gate and one router, whose files alone
// know their sizes. Throws Error when the config does not validate, or for more parameters than 2^62.
ParameterCounts count_parameters(const DecoderConfig& config);

// The total without gates and routers. In double, since the product of allowed sizes exceeds 64 bits; exact up to 2^53.
double parameters_without_routing(const DecoderConfig& config);

}  // namespace witan
