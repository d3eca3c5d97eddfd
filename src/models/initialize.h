// The first weights of a decoder.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "witan/parameter.h"

namespace witan {

struct DecoderConfig;

// The random stream of one tensor: adding a tensor to a model changes no other.
Random named_stream(std::uint64_t seed, std::string_view name);

// Draws every matrix but those of gates and routers, which have drawn their own; see the constructor of Decoder. The
// same values for any number of threads.
void initialize_weights(const std::vector<Parameter>& parameters, const DecoderConfig& config, std::uint64_t seed);

}  // namespace witan
