// Averages over steps.
#include "routers/step_average.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

constexpr float kMemory = 10.0F;  // steps

}  // namespace

StepAverage::StepAverage(std::int64_t size)
    : average_(Tensor::zeros({size})), steps_(Tensor::zeros({1})), sum_(static_cast<std::size_t>(size), 0.0) {}

void StepAverage::observe(std::span<const float> values) {
  WITAN_ASSERT(values.size() == sum_.size());
  for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += static_cast<double>(values[i]);
  observed_ += 1.0;
}

void StepAverage::after_step() {
  if (observed_ == 0.0) return;
  float& steps = steps_.values()[0];
  steps = std::min(steps + 1.0F, kMemory);
  for (std::size_t i = 0; i < sum_.size(); ++i) {
    float& average = average_.values()[i];
    average += (static_cast<float>(sum_[i] / observed_) - average) / steps;
  }
  std::fill(sum_.begin(), sum_.end(), 0.0);
  observed_ = 0.0;
}

std::vector<Parameter> StepAverage::buffers(const std::string& name) const {
  return {{name, average_, false}, {name + "_steps", steps_, false}};
}

}  // namespace witan
