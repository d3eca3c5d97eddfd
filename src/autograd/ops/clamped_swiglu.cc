// One pass over both operands; no kernel of its own, since the products around it take almost all the time.
#include "autograd/ops/clamped_swiglu.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"

namespace witan::ops {
namespace {

constexpr float kSteepness = 1.702F;
constexpr std::int64_t kGrain = 1 << 12;

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

template <class Body>
void for_each(std::int64_t count, const Body& body) {
  parallel_for(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(static_cast<std::size_t>(i));
  });
}

}  // namespace

Tensor clamped_swiglu(Tape& tape, const Tensor& gate, const Tensor& up, float limit) {
  if (!(limit > 0.0F)) fail("clamped_swiglu: limit {} is not positive", limit);
  if (gate.shape() != up.shape()) {
    fail("clamped_swiglu: gate={} and up={} differ", gate.shape().to_string(), up.shape().to_string());
  }
  Tensor y = tape.output(gate.shape(), {&gate, &up});
  for_each(y.numel(), [limit, g_in = gate.values(), u_in = up.values(), out = y.values()](std::size_t i) {
    const float g = std::min(g_in[i], limit);
    const float u = std::clamp(u_in[i], -limit, limit);
    out[i] = g * sigmoid(kSteepness * g) * (u + 1.0F);
  });
  tape.record(y, [dy = y.grad(), dgate = gate.grad(), dup = up.grad(), kept_gate = gate.detached(),
                  kept_up = up.detached(), limit] {
    const std::span<const float> given = dy.values();
    const std::span<float> gate_sum = dgate.wanted() ? dgate.accumulator() : std::span<float>();
    const std::span<float> up_sum = dup.wanted() ? dup.accumulator() : std::span<float>();
    for_each(kept_gate.numel(), [&](std::size_t i) {
      const float raw_gate = kept_gate.values()[i];
      const float raw_up = kept_up.values()[i];
      const float g = std::min(raw_gate, limit);
      const float u = std::clamp(raw_up, -limit, limit);
      const float s = sigmoid(kSteepness * g);
      if (!gate_sum.empty() && raw_gate <= limit) {
        gate_sum[i] += given[i] * (u + 1.0F) * (s + kSteepness * g * s * (1.0F - s));
      }
      if (!up_sum.empty() && std::fabs(raw_up) <= limit) up_sum[i] += given[i] * g * s;
    });
  });
  return y;
}

}  // namespace witan::ops
