// An encoder-decoder against what a reference implementation computes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "support/oracle.h"

namespace witan {
class EncoderDecoder;
}

namespace witan::test {

// What the encoder makes of the first prompt; the logits of whole outputs; experts and their weights, 0 for a choice
// that found no room, and how many tokens lost all their choices; greedy outputs with the cache, one token per pass,
// and without it, where capacity counts over all tokens so far.
std::vector<OracleSection> check_encoder_decoder(const EncoderDecoder& model, const nlohmann::json& expected);

}  // namespace witan::test
