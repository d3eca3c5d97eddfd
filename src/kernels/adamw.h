// One step of AdamW (Loshchilov & Hutter 2019, algorithm 2, as PyTorch computes it) over one parameter array.
// Bound by memory: one pass reads four arrays and writes three.
#pragma once

#include <cstdint>
#include <span>

namespace witan::kernels {

struct AdamWStep {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;        // beside the root of the bias-corrected second moment
  float weight_decay = 0.0F;    // decoupled: parameter *= 1 - learning_rate * weight_decay, before the step
  float gradient_scale = 1.0F;  // the gradient is multiplied by this first: clipping, accumulation
  std::int64_t step = 1;        // from 1, for the bias correction
};

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
// p = p (1 - lr wd) - lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + epsilon).
// All arrays have the same length and do not overlap. The moments start as zeros.
void adamw(std::span<float> parameter, std::span<const float> gradient, std::span<float> first_moment,
           std::span<float> second_moment, const AdamWStep& step);
// The same, plainly, element by element in double; for tests.
void adamw_reference(std::span<float> parameter, std::span<const float> gradient, std::span<float> first_moment,
                     std::span<float> second_moment, const AdamWStep& step);

}  // namespace witan::kernels
