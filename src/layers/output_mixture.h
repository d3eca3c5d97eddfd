// The output layer as a mixture of softmaxes: several distributions over the vocabulary, weighed per row. One softmax
// over logits of rank D cannot say what natural text asks for; a mixture of them can. Not the projection itself, which
// the model shares with its embedding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/tape.h"
#include "witan/parameter.h"

namespace witan {

// Yang et al. 2018, "Breaking the Softmax Bottleneck", equation 4: p(v | g) = sum over i of pi_i softmax(h_i W')[v],
// pi = softmax(P g), h_i = tanh(L_i g).
class OutputMixture {
 public:
  // Weights are zeros for the owner to fill. Throws Error for sizes below 1.
  OutputMixture(std::int64_t hidden_size, std::int64_t num_softmaxes);

  // hidden [T, D], head [V, D], targets [T] -> mean loss in nats; see ops::cross_entropy. Logits exist in chunks only.
  Tensor loss(Tape& tape, const Tensor& hidden, const Tensor& head, std::span<const std::int32_t> targets,
              std::span<float> row_losses) const;
  // hidden [n, D], head [V, D] -> log-probabilities [n, V], without gradient. Holds the logits of one row.
  Tensor log_probabilities(const Tensor& hidden, const Tensor& head) const;

  // "prior.weight" [K, D], "latent.weight" [K * D, D].
  std::vector<Parameter> parameters() const { return {{"prior.weight", prior_}, {"latent.weight", latent_}}; }

 private:
  Tensor latents(Tape& tape, const Tensor& hidden) const;  // [T, K * D]

  Tensor prior_;
  Tensor latent_;
};

}  // namespace witan
