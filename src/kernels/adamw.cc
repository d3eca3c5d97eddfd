// The fused AdamW loop and its reference.
#include "kernels/adamw.h"

#include <cmath>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::kernels {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements that pay for another thread

}  // namespace

void adamw(std::span<float> parameter, std::span<const float> gradient, std::span<float> first_moment,
           std::span<float> second_moment, const AdamWStep& step) {
  WITAN_ASSERT(step.step >= 1);
  WITAN_ASSERT(parameter.size() == gradient.size() && parameter.size() == first_moment.size() &&
               parameter.size() == second_moment.size());
  const double correction1 = 1.0 - std::pow(static_cast<double>(step.beta1), static_cast<double>(step.step));
  const double correction2 = 1.0 - std::pow(static_cast<double>(step.beta2), static_cast<double>(step.step));
  const auto step_size = static_cast<float>(step.learning_rate / correction1);
  const auto root_scale = static_cast<float>(1.0 / std::sqrt(correction2));
  const float keep = 1.0F - step.learning_rate * step.weight_decay;
  const float rest1 = 1.0F - step.beta1;
  const float rest2 = 1.0F - step.beta2;
  parallel_for(static_cast<std::int64_t>(parameter.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    float* p = parameter.data();
    const float* g = gradient.data();
    float* m = first_moment.data();
    float* v = second_moment.data();
    for (std::int64_t i = begin; i < end; ++i) {
      const float slope = step.gradient_scale * g[i];
      m[i] = step.beta1 * m[i] + rest1 * slope;
      v[i] = step.beta2 * v[i] + rest2 * slope * slope;
      p[i] = keep * p[i] - step_size * m[i] / (std::sqrt(v[i]) * root_scale + step.epsilon);
    }
  });
}

void adamw_reference(std::span<float> parameter, std::span<const float> gradient, std::span<float> first_moment,
                     std::span<float> second_moment, const AdamWStep& step) {
  const double beta1 = step.beta1;
  const double beta2 = step.beta2;
  const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(step.step));
  const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(step.step));
  for (std::size_t i = 0; i < parameter.size(); ++i) {
    const double g = static_cast<double>(step.gradient_scale) * static_cast<double>(gradient[i]);
    const double m = beta1 * static_cast<double>(first_moment[i]) + (1.0 - beta1) * g;
    const double v = beta2 * static_cast<double>(second_moment[i]) + (1.0 - beta2) * g * g;
    const double decayed = static_cast<double>(parameter[i]) *
                           (1.0 - static_cast<double>(step.learning_rate) * static_cast<double>(step.weight_decay));
    first_moment[i] = static_cast<float>(m);
    second_moment[i] = static_cast<float>(v);
    parameter[i] = static_cast<float>(decayed - static_cast<double>(step.learning_rate) * (m / correction1) /
                                                    (std::sqrt(v / correction2) + static_cast<double>(step.epsilon)));
  }
}

}  // namespace witan::kernels
