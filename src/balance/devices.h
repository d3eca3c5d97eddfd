// Experts on devices, in equal shares of neighbours: what the losses count over that keep machines evenly busy. Where
// experts really are is decided elsewhere.
#pragma once

#include <cstdint>

#include "base/extra_options.h"

namespace witan {

ExtraOption devices_option();  // "balance_devices"

// Experts per device. Throws Error when the devices do not divide the experts.
std::int64_t experts_per_device(std::int64_t num_experts, std::int64_t devices);

}  // namespace witan
