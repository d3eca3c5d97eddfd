// Gaussian noise on scores in training: learned per row and expert (Shazeer et al. 2017), or of fixed deviation 1 / E
// (Riquelme et al. 2021). Not the jitter of the gate's input, which is the layer's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "routers/options.h"
#include "witan/router.h"

namespace witan {

// "router_noise", "router_noise_epsilon": for the entries of routers that add noise.
std::vector<ExtraOption> noise_options();

// "noisy_load_coef", of the loss on the smooth load.
ExtraOption noisy_load_option();

struct NoisyScores {
  Tensor scores;      // [T, E] that select; the clean ones when there is no noise
  Tensor deviations;  // [T, E] of the noise; undefined when there is none
};

class ScoreNoise {
 public:
  // For scores of width num_scores on rows of width hidden_size. The learned weights start at zero, as in the paper.
  ScoreNoise(const RouterOptions& options, std::int64_t num_scores, std::int64_t hidden_size);

  // H = h + N(0, 1) * sigma; sigma = softplus(x Wn') + epsilon, or 1 / E. In evaluation: h.
  NoisyScores add(Tape& tape, const Tensor& clean, const RouterContext& context) const;
  // `name` [num_scores, D] when the noise is learned.
  std::vector<Parameter> parameters(const std::string& name) const;

 private:
  Tensor weight_;  // [num_scores, D]; undefined unless learned
  float epsilon_;
  float fixed_deviation_;  // 0: none
};

}  // namespace witan
