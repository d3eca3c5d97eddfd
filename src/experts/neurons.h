// A bank of experts of one neuron each (PEER, He 2024): so many that each row names its own, and no list by expert is
// made. Hence not an Expert, which takes an Assignment.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kernels/activation.h"
#include "witan/router.h"

namespace witan {

struct NeuronOptions {
  std::int64_t num_experts = 0;
  std::int64_t hidden_size = 0;
  Activation activation = Activation::kGelu;
  float initializer_range = 0.02F;  // standard deviation of the first weights; 0: zeros for the owner to fill
};

class NeuronExperts {
 public:
  // Weights are drawn from `random`. Throws Error for sizes below 1.
  NeuronExperts(const NeuronOptions& options, Random& random);

  // rows [T, D] -> [T, D], weighed and added up: time and memory grow with the rows' choices, not with num_experts.
  Tensor forward(Tape& tape, const Tensor& rows, const Retrieval& retrieval) const;
  // "up_proj" [E, 1, D], "down_proj" [E, D, 1]: those of a bank of plain feed-forward experts of width 1.
  std::vector<Parameter> parameters() const { return {{"up_proj", up_proj_}, {"down_proj", down_proj_}}; }

 private:
  Activation activation_;
  Tensor up_proj_;
  Tensor down_proj_;
};

}  // namespace witan
