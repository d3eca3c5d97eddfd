// When two configs describe the same computation outside training.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/config.h"

namespace witan {

// What a decoder of this config computes in evaluation, in one normal form: options that training alone reads are left
// out, as are those of routers, gates and layers that the config does not have, and what can be said in two ways is
// said in one. Equal forms, equal results.
nlohmann::json computed_form(const DecoderConfig& config);

}  // namespace witan
