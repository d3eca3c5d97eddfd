// Noise on scores.
#include "routers/score_noise.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "base/error.h"
#include "base/parallel.h"

namespace witan {
namespace {

constexpr std::int64_t kGrain = 4096;  // elements that pay for another thread

// log(1 + e^x) + epsilon.
Tensor softplus(Tape& tape, const Tensor& x, float epsilon) {
  Tensor y = tape.output(x.shape(), {&x});
  parallel_for(x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float value = x.data()[i];
      y.data()[i] = std::max(value, 0.0F) + std::log1p(std::exp(-std::fabs(value))) + epsilon;
    }
  });
  tape.record(y, [dy = y.grad(), dx = x.grad(), x = x.detached()] {
    const std::span<float> sum = dx.accumulator();
    parallel_for(x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<std::size_t>(i);
        sum[at] += dy.values()[at] / (1.0F + std::exp(-x.data()[i]));
      }
    });
  });
  return y;
}

}  // namespace

std::vector<ExtraOption> noise_options() {
  return {{.name = "router_noise",
           .value = std::string("learned"),
           .help = "Noise on the scores in training, of the routers that have it: of learned deviation (Shazeer et al. "
                   "2017), of deviation 1 / E (V-MoE), or none",
           .choices = {"learned", "fixed", "none"}},
          {.name = "router_noise_epsilon",
           .value = 1e-2,
           .help = "Added to the learned deviation (0.01 in the reference code, 0 in the paper)",
           .minimum = 0.0,
           .maximum = 1e3}};
}

ExtraOption noisy_load_option() {
  return {.name = "noisy_load_coef",
          .value = 0.1,
          .help = "Coefficient of CV^2 of the smooth load, of the routers with noise; 0: off",
          .minimum = 0.0,
          .maximum = 1e6};
}

ScoreNoise::ScoreNoise(const RouterOptions& options, std::int64_t num_scores, std::int64_t hidden_size)
    : epsilon_(static_cast<float>(options.router_extra.real("router_noise_epsilon"))), fixed_deviation_(0.0F) {
  const std::string& kind = options.router_extra.text("router_noise");
  if (kind == "fixed") fixed_deviation_ = 1.0F / static_cast<float>(num_scores);
  if (kind != "learned") return;
  weight_ = Tensor::zeros({num_scores, hidden_size});
  weight_.set_requires_grad(true);
}

NoisyScores ScoreNoise::add(Tape& tape, const Tensor& clean, const RouterContext& context) const {
  if (!context.training || (!weight_.defined() && fixed_deviation_ == 0.0F)) return {clean, {}};
  WITAN_ASSERT(context.random != nullptr && context.rows != nullptr);
  const Tensor normals = Tensor::uninitialized(clean.shape());
  context.random->fill_normal(normals.values(), 0.0F, 1.0F);
  const Tensor deviations = weight_.defined() ? softplus(tape, ops::linear(tape, *context.rows, weight_), epsilon_)
                                              : Tensor::full(clean.shape(), fixed_deviation_);
  return {ops::add(tape, clean, ops::multiply(tape, deviations, normals)), deviations};
}

std::vector<Parameter> ScoreNoise::parameters(const std::string& name) const {
  if (!weight_.defined()) return {};
  return {{name, weight_, true}};
}

}  // namespace witan
