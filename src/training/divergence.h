// Where a computation went wrong first: after a loss or a gradient that is not finite.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "models/decoder.h"

namespace witan {

// Looks, in this order, at the weights, at the rows between the layers of a forward pass over `ids` (the tape is off)
// and at the gradients that are present, newest layer first as they are computed. -> "layer 3: ..." for a person.
std::string locate_divergence(Decoder& model, std::span<const std::int32_t> ids, std::int64_t batch,
                              std::int64_t sequence, const RouterContext& context);

}  // namespace witan
