// What the routing of a model holds, without the model.
#pragma once

#include <vector>

#include "models/config.h"
#include "models/stored_pieces.h"

namespace witan {

// Parameters and buffers of the gates and routers of all mixture layers, by their names in Decoder::parameters() and
// buffers(). Makes one gate and one router to ask them.
std::vector<ParameterOutline> routing_outline(const DecoderConfig& config);

}  // namespace witan
