// The squared coefficient of variation.
#include "autograd/ops/variation.h"

#include "base/error.h"

namespace witan::ops {
namespace {

constexpr double kEpsilon = 1e-10;  // of the reference code: all zeros have no variation

}  // namespace

Tensor squared_variation(Tape& tape, const Tensor& x) {
  if (x.numel() == 0) fail("squared_variation: x {} has no elements", x.shape().to_string());
  const auto count = static_cast<double>(x.numel());
  double mean = 0.0;
  for (const float value : x.values()) mean += static_cast<double>(value) / count;
  double variance = 0.0;
  for (const float value : x.values()) {
    const double off = static_cast<double>(value) - mean;
    variance += off * off / count;
  }
  const double scale = mean * mean + kEpsilon;
  Tensor y = tape.output({}, {&x});
  y.data()[0] = static_cast<float>(variance / scale);
  tape.record(y, [dy = y.grad(), dx = x.grad(), x = x.detached(), mean, variance, scale, count] {
    const std::span<float> sum = dx.accumulator();
    const double given = static_cast<double>(dy.values()[0]);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double off = static_cast<double>(x.values()[i]) - mean;
      sum[i] += static_cast<float>(given * 2.0 / count * (off / scale - variance * mean / (scale * scale)));
    }
  });
  return y;
}

}  // namespace witan::ops
