// The option and its check.
#include "balance/devices.h"

#include "base/error.h"

namespace witan {

ExtraOption devices_option() {
  return {
      .name = "balance_devices",
      .value = std::int64_t{1},
      .help = "Devices that the experts are spread over in equal shares, for device_balance and communication_balance",
      .minimum = 1.0,
      .maximum = 1 << 20};
}

std::int64_t experts_per_device(std::int64_t num_experts, std::int64_t devices) {
  if (num_experts % devices != 0) {
    fail("balance: balance_devices={} does not divide num_experts={}", devices, num_experts);
  }
  return num_experts / devices;
}

}  // namespace witan
