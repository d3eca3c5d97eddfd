// Chains of multiply-adds that never leave the registers.
#include "support/register_rate.h"

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve independent chains: more than latency times throughput of any of the processors, fewer than their registers.
constexpr int kChains = 12;

// FLOP of `steps` rounds.
double Flops(std::int64_t steps) {
  return 2.0 * static_cast<double>(hn::Lanes(hn::ScalableTag<float>())) * kChains * static_cast<double>(steps);
}

// Returns something that depends on every step.
float Chains(std::int64_t steps, float factor) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V x = hn::Set(d, factor);
  V sums[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sums[i] = hn::Set(d, 1.0F + static_cast<float>(i));
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = hn::MulAdd(x, sums[i], x);
  }
  V sum = hn::Zero(d);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum = hn::Add(sum, sums[i]);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace witan::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <atomic>
#include <chrono>

#include "base/parallel.h"

namespace witan::bench {
HWY_EXPORT(Flops);
HWY_EXPORT(Chains);

double register_rate() {
  const auto chains = WITAN_DISPATCH(Chains);
  constexpr std::int64_t kSteps = 900'000;
  static std::atomic<float> kept{0.0F};
  const auto begin = std::chrono::steady_clock::now();
  parallel_region([&](int, int) { kept = chains(kSteps, 0.5F); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return WITAN_DISPATCH(Flops)(kSteps) * num_threads() / seconds.count();
}

}  // namespace witan::bench
#endif
