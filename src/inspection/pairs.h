// Numbers of pairs of experts, cut down to what can be shown.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>

namespace witan {

// values [E * E] -> {"mean": of all pairs of two, "strongest": [{"a", "b", "value"}], "matrix": [E][E], null beyond 64
// experts}; null without values. A pair (a, b) stands once in "strongest", with the larger of its two values.
nlohmann::ordered_json pairs_json(std::span<const double> values, std::int64_t experts);

}  // namespace witan
