// Warm-up, then cosine, a plateau with a linear decay, or nothing.
#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace witan {

Fields ScheduleOptions::fields() {
  Fields fields("schedule");
  fields.real("learning_rate", learning_rate, 0.0, 1e6, "Peak learning rate")
      .choice("lr_scheduler_type", lr_scheduler_type, {"cosine", "wsd", "constant"},
              "What the learning rate does after warm-up: cosine to the minimum, warm-up-stable-decay, or constant")
      .real("warmup_ratio", warmup_ratio, 0.0, 1.0, "Share of the run over which the learning rate rises from 0")
      .real("decay_ratio", decay_ratio, 0.0, 1.0, "Share of the run, at its end, over which wsd decays")
      .real("min_learning_rate_ratio", min_learning_rate_ratio, 0.0, 1.0, "Final learning rate as a share of the peak");
  return fields;
}

void ScheduleOptions::validate() const {
  if (lr_scheduler_type == "wsd" && warmup_ratio + decay_ratio > 1.0) {
    fail("schedule.decay_ratio: warmup_ratio={} and decay_ratio={} are more than the whole run", warmup_ratio,
         decay_ratio);
  }
}

double learning_rate_at(const ScheduleOptions& options, double progress) {
  progress = std::clamp(progress, 0.0, 1.0);
  const double peak = options.learning_rate;
  if (progress < options.warmup_ratio) return peak * progress / options.warmup_ratio;
  const double lowest = peak * options.min_learning_rate_ratio;
  if (options.lr_scheduler_type == "cosine") {
    const double length = 1.0 - options.warmup_ratio;
    const double done = length > 0.0 ? (progress - options.warmup_ratio) / length : 1.0;
    return lowest + (peak - lowest) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  }
  if (options.lr_scheduler_type == "wsd") {
    const double left = 1.0 - progress;
    return left < options.decay_ratio ? lowest + (peak - lowest) * left / options.decay_ratio : peak;
  }
  WITAN_ASSERT(options.lr_scheduler_type == "constant");
  return peak;
}

}  // namespace witan
