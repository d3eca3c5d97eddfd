// RoPE in a released config.json: rope_theta and rope_scaling, or rope_parameters as Transformers 5 writes them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/config.h"

namespace witan {

// Sets rope_theta and `rope`. Throws Error for a kind of scaling that is not known, or not said though there are keys
// of one, naming those that are known, and for values of the wrong type or out of bounds.
void read_rope(const nlohmann::json& json, DecoderConfig& config);
// What Phi-3.5-MoE alone reads in its scaling: attention factors for both lengths, and the original length. Throws
// Error when that stands beside the scaling too and differs.
void read_phimoe_rope(const nlohmann::json& json, DecoderConfig& config);
// The inverse: "rope_theta" and "rope_scaling".
void write_rope(const DecoderConfig& config, nlohmann::json& json);

}  // namespace witan
