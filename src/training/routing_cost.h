// What routing costs beside the experts: timed on one layer of a model, alone.
#pragma once

#include <cstdint>

#include "models/decoder.h"

namespace witan {

struct RoutingCost {
  double microseconds_per_row = 0.0;  // of gate and router, forward
  double share = 0.0;                 // of the layer's forward pass
};

// The least of several passes over `num_rows` random rows in sequences of `sequence`, in training mode with the tape
// on, through a layer of fresh weights.
RoutingCost measure_routing_cost(const DecoderConfig& model, std::int64_t num_rows, std::int64_t sequence);

}  // namespace witan
