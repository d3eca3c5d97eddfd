// Device-level balance: the loads of a device's experts may differ, their mean may not. DeepSeek-AI 2024.
#include <algorithm>

#include "balance/devices.h"
#include "balance/frequency_balance.h"
#include "balance/table.h"

namespace witan {

BalanceEntry device_balance_balance() {
  return {
      .name = "device_balance",
      .summary = "mean load of each device's experts times the probability of the device",
      .formula =
          "sum_d f'_d P'_d; f'_d: mean of E f_e over the experts of device d (f_e as in load_balance), no "
          "gradient; P'_d: sum of their mean probabilities",
      .paper = "DeepSeek-AI 2024 (DeepSeekMoE, section 3.3; DeepSeek-V2, section 2.1.3)",
      .balanced_value = "1, or k with balance_scale = k",
      .options = {{.name = "device_balance_coef",
                   .value = 0.0,
                   .help = "Coefficient of the device-level balance loss; 0: off",
                   .minimum = 0.0,
                   .maximum = 1e6},
                  devices_option()},
      .at_balance = [](const BalanceOptions& options, std::int64_t, std::int64_t k) -> double {
        return options.balance_scale == "k" ? static_cast<double>(k) : 1.0;
      },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        const double coefficient = options.balance_extra.real("device_balance_coef");
        if (coefficient == 0.0) return nullptr;
        const std::int64_t devices = options.balance_extra.integer("balance_devices");
        return std::make_unique<FrequencyBalance>(
            "device_balance", coefficient, options, [devices](std::span<double> loads) {
              const auto share =
                  static_cast<std::size_t>(experts_per_device(static_cast<std::int64_t>(loads.size()), devices));
              for (std::size_t first = 0; first < loads.size(); first += share) {
                const std::span<double> own = loads.subspan(first, share);
                double sum = 0.0;
                for (const double load : own) sum += load;
                std::fill(own.begin(), own.end(), sum / static_cast<double>(share));
              }
            });
      },
  };
}

}  // namespace witan
