// The language-model loss, fused with the output projection: only a chunk of logits exists at any time.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tape.h"

namespace witan::ops {

constexpr std::int32_t kIgnoreTarget = -1;

// hidden [T, D], weight [V, D], targets [T] (kIgnoreTarget: not counted) -> mean over the counted rows of
// -log softmax(hidden weight')[target], in nats, scalar. The gradient of both inputs is computed in the forward pass,
// chunk by chunk. When `row_losses` is not empty ([T]) it receives each row's loss (0 where ignored). Throws Error for
// a target outside [0, V) or when nothing is counted.
Tensor cross_entropy(Tape& tape, const Tensor& hidden, const Tensor& weight, std::span<const std::int32_t> targets,
                     std::span<float> row_losses = {});

// The same with a mixture of K softmaxes (Yang et al. 2018, "Breaking the Softmax Bottleneck", equation 4): latents
// [T, K * D] or [T * K, D], prior_logits [T, K] -> mean of -log (sum over i of softmax(prior_logits)[i]
// softmax(latents[i] weight')[target]). K = 1 is the plain softmax.
Tensor mixture_cross_entropy(Tape& tape, const Tensor& latents, const Tensor& prior_logits, const Tensor& weight,
                             std::span<const std::int32_t> targets, std::span<float> row_losses = {});

}  // namespace witan::ops
