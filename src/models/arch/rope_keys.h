// RoPE in a released config.json: rope_theta and rope_scaling, or rope_parameters as Transformers 5 writes them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/config.h"

namespace witan {

// Sets rope_theta and `rope`. Throws Error for a kind of scaling that is not known, naming those that are, and for
// values of the wrong type or out of bounds.
void read_rope(const nlohmann::json& json, DecoderConfig& config);
// The inverse: "rope_theta" and "rope_scaling".
void write_rope(const DecoderConfig& config, nlohmann::json& json);

}  // namespace witan
