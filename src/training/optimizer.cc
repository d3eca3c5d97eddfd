// AdamW over named parameters, on top of the fused kernel.
#include "training/optimizer.h"

#include <cmath>

#include "base/parallel.h"
#include "kernels/adamw.h"
#include "kernels/elementwise.h"

namespace witan {
namespace {

// The update of the rows that have a gradient.
void step_rows(const Gradient& gradient, const Tensor& parameter, const Tensor& first, const Tensor& second,
               const kernels::AdamWStep& step) {
  constexpr std::int64_t kGrain = 1 << 14;  // values that pay for another thread
  const std::span<const std::int32_t> rows = gradient.stored_rows();
  const auto width = static_cast<std::size_t>(parameter.numel() / parameter.dim(0));
  parallel_for(static_cast<std::int64_t>(rows.size()), kGrain / static_cast<std::int64_t>(width) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
                   const std::size_t at = static_cast<std::size_t>(rows[i]) * width;
                   kernels::adamw(parameter.values().subspan(at, width),
                                  gradient.stored_values().subspan(i * width, width), first.values().subspan(at, width),
                                  second.values().subspan(at, width), step);
                 }
               });
}

}  // namespace

Fields OptimizerOptions::fields() {
  Fields fields("optimizer");
  fields.real("weight_decay", weight_decay, 0.0, 1e3, "AdamW's decoupled decay of matrices; norms and biases have none")
      .real("adam_beta1", adam_beta1, 0.0, 0.999999, "AdamW's memory of the gradient")
      .real("adam_beta2", adam_beta2, 0.0, 0.999999, "AdamW's memory of the squared gradient")
      .real("adam_epsilon", adam_epsilon, 1e-30, 1.0, "Added to the root of the second moment")
      .real("max_grad_norm", max_grad_norm, 0.0, 1e9, "Gradients are scaled down to this norm; 0: never");
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
    if (parameter.value.grad().present()) sum += kernels::sum_of_squares(parameter.value.grad().stored_values());
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
    const Gradient& gradient = parameter.value.grad();
    if (gradient.in_rows()) {
      step_rows(gradient, parameter.value, first_moments_[i], second_moments_[i], step);
    } else {
      kernels::adamw(parameter.value.values(), gradient.values(), first_moments_[i].values(),
                     second_moments_[i].values(), step);
    }
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
