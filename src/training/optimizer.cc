// AdamW over named parameters, on top of the fused kernel.
#include "training/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/adamw.h"

namespace witan {
namespace {

constexpr std::int64_t kBlock = 16384;  // elements per partial sum: fixed, so that threads do not change the result
constexpr std::size_t kLanes = 8;       // independent sums, so that the compiler may use vectors

double sum_of_squares(std::span<const float> values) {
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      lanes[lane] += value * value;
    }
  }
  for (; i < values.size(); ++i) lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  double sum = 0.0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

double squared_norm(std::span<const float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  PooledVector<double> partial(static_cast<std::size_t>((count + kBlock - 1) / kBlock));
  parallel_for(static_cast<std::int64_t>(partial.size()), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kBlock;
      const std::int64_t length = std::min(kBlock, count - first);
      partial[static_cast<std::size_t>(block)] =
          sum_of_squares(values.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(length)));
    }
  });
  double sum = 0.0;
  for (const double part : partial) sum += part;
  return sum;
}

}  // namespace

Fields OptimizerOptions::fields() {
  Fields fields("optimizer");
  fields.real("weight_decay", weight_decay, 0.0, 1e3, "AdamW's decoupled decay of matrices; norms and biases have none")
      .real("adam_beta1", adam_beta1, 0.0, 0.999999, "AdamW's memory of the gradient")
      .real("adam_beta2", adam_beta2, 0.0, 0.999999, "AdamW's memory of the squared gradient")
      .real("adam_epsilon", adam_epsilon, 1e-30, 1.0, "added to the root of the second moment")
      .real("max_grad_norm", max_grad_norm, 0.0, 1e9, "gradients are scaled down to this norm; 0: never");
  return fields;
}

AdamW::AdamW(std::vector<Parameter> parameters, const OptimizerOptions& options)
    : options_(options), parameters_(std::move(parameters)) {
  for (const Parameter& parameter : parameters_) {
    first_moments_.push_back(Tensor::zeros(parameter.value.shape()));
    second_moments_.push_back(Tensor::zeros(parameter.value.shape()));
  }
}

double AdamW::gradient_norm() const {
  double sum = 0.0;
  for (const Parameter& parameter : parameters_) {
    if (parameter.value.grad().present()) sum += squared_norm(parameter.value.grad().values());
  }
  return std::sqrt(sum);
}

void AdamW::step(double learning_rate, double norm) {
  ++updates_;
  const bool clip = options_.max_grad_norm > 0.0 && norm > options_.max_grad_norm;
  kernels::AdamWStep step;
  step.learning_rate = static_cast<float>(learning_rate);
  step.beta1 = static_cast<float>(options_.adam_beta1);
  step.beta2 = static_cast<float>(options_.adam_beta2);
  step.epsilon = static_cast<float>(options_.adam_epsilon);
  step.gradient_scale = clip ? static_cast<float>(options_.max_grad_norm / norm) : 1.0F;
  step.step = updates_;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (!parameter.value.grad().present()) continue;
    step.weight_decay = parameter.decay ? static_cast<float>(options_.weight_decay) : 0.0F;
    kernels::adamw(parameter.value.values(), parameter.value.grad().values(), first_moments_[i].values(),
                   second_moments_[i].values(), step);
  }
  forget_gradients();
}

void AdamW::forget_gradients() {
  for (const Parameter& parameter : parameters_) parameter.value.grad().clear();
}

std::vector<Parameter> AdamW::state() const {
  std::vector<Parameter> tensors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    tensors.push_back({"first_moment." + parameters_[i].name, first_moments_[i]});
    tensors.push_back({"second_moment." + parameters_[i].name, second_moments_[i]});
  }
  return tensors;
}

}  // namespace witan
