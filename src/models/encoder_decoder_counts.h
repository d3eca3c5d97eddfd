// How many parameters an encoder-decoder has, from its config alone: for plans.
#pragma once

#include <cstdint>

#include "models/decoder.h"
#include "models/encoder_decoder_config.h"

namespace witan {

struct EncoderDecoderCounts {
  ParameterCounts all;            // active: those that work on a source token or on an output token
  std::int64_t output_token = 0;  // parameters that one token of the output reads: no embedding but the head
};
// Exactly what the files must hold. Throws Error when the config does not validate, or for more than 2^62.
EncoderDecoderCounts count_parameters(const EncoderDecoderConfig& config);

}  // namespace witan
