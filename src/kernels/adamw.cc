// The fused AdamW loop, with Highway, and its reference.
#include "kernels/adamw.h"

#include <cstdint>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

#ifndef WITAN_KERNELS_ADAMW_FACTORS
#define WITAN_KERNELS_ADAMW_FACTORS
namespace witan::kernels {

// The step with everything that does not depend on the element worked out, in double.
struct AdamWFactors {
  float gradient_scale;
  float beta1, rest1;
  float beta2, rest2;
  float keep;        // 1 - learning rate * decay
  float step_size;   // learning rate / (1 - beta1^step)
  float root_scale;  // 1 / sqrt(1 - beta2^step)
  float epsilon;
};

}  // namespace witan::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE void update(D d, const AdamWFactors& f, float* p, const float* g, float* m, float* v) {
  const auto slope = hn::Mul(hn::Set(d, f.gradient_scale), hn::LoadU(d, g));
  const auto first = hn::MulAdd(hn::Set(d, f.beta1), hn::LoadU(d, m), hn::Mul(hn::Set(d, f.rest1), slope));
  const auto second =
      hn::MulAdd(hn::Set(d, f.beta2), hn::LoadU(d, v), hn::Mul(hn::Mul(hn::Set(d, f.rest2), slope), slope));
  hn::StoreU(first, d, m);
  hn::StoreU(second, d, v);
  const auto divisor = hn::MulAdd(hn::Sqrt(second), hn::Set(d, f.root_scale), hn::Set(d, f.epsilon));
  const auto change = hn::Div(hn::Mul(hn::Set(d, f.step_size), first), divisor);
  hn::StoreU(hn::MulSub(hn::Set(d, f.keep), hn::LoadU(d, p), change), d, p);
}

void Update(const AdamWFactors& factors, float* p, const float* g, float* m, float* v, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) update(d, factors, p + i, g + i, m + i, v + i);
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) update(one, factors, p + i, g + i, m + i, v + i);
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/grain.h"

namespace witan::kernels {
HWY_EXPORT(Update);

namespace {

AdamWFactors factors_of(const AdamWStep& step) {
  const double learning_rate = step.learning_rate;
  const double beta1 = step.beta1;
  const double beta2 = step.beta2;
  const auto count = static_cast<double>(step.step);
  return {.gradient_scale = step.gradient_scale,
          .beta1 = step.beta1,
          .rest1 = static_cast<float>(1.0 - beta1),
          .beta2 = step.beta2,
          .rest2 = static_cast<float>(1.0 - beta2),
          .keep = static_cast<float>(1.0 - learning_rate * static_cast<double>(step.weight_decay)),
          .step_size = static_cast<float>(learning_rate / (1.0 - std::pow(beta1, count))),
          .root_scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(beta2, count))),
          .epsilon = step.epsilon};
}

}  // namespace

void adamw(std::span<float> parameter, std::span<const float> gradient, std::span<float> first_moment,
           std::span<float> second_moment, const AdamWStep& step) {
  WITAN_ASSERT(step.step >= 1);
  WITAN_ASSERT(parameter.size() == gradient.size() && parameter.size() == first_moment.size() &&
               parameter.size() == second_moment.size());
  const AdamWFactors factors = factors_of(step);
  const auto kernel = WITAN_DISPATCH(Update);
  parallel_for(static_cast<std::int64_t>(parameter.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernel(factors, parameter.data() + begin, gradient.data() + begin, first_moment.data() + begin,
           second_moment.data() + begin, end - begin);
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
#endif
