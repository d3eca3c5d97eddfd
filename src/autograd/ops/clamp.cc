// Clamping, which needs no kernel of its own: two comparisons per element that the compiler vectorises.
#include "autograd/ops/clamp.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace witan::ops {

Tensor clamp(Tape& tape, const Tensor& x, float limit) {
  if (!(limit > 0.0F)) fail("clamp: limit {} is not positive", limit);
  Tensor y = tape.output(x.shape(), {&x});
  const auto clamped = [limit](float value) { return std::min(std::max(value, -limit), limit); };
  std::transform(x.values().begin(), x.values().end(), y.values().begin(), clamped);
  tape.record(y, [dy = y.grad(), dx = x.grad(), kept_x = x.detached(), limit] {
    const std::span<const float> upstream = dy.values();
    const std::span<const float> inputs = kept_x.values();
    const std::span<float> sum = dx.accumulator();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += std::fabs(inputs[i]) <= limit ? upstream[i] : 0.0F;
  });
  return y;
}

}  // namespace witan::ops
