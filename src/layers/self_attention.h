// Causal self-attention of one transformer block: projections, optional normalisation of queries and keys, rotary
// positions, attention, output projection. With a cache it continues one sequence.
#pragma once

#include "layers/attention.h"

namespace witan {

class SelfAttention final : public Attention {
 public:
  // Norm weights are 1, everything else 0: the owner fills them.
  explicit SelfAttention(const AttentionOptions& options);

  Tensor forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const override;
  // "q_proj.weight" [heads * head_dim, D], "k_proj.weight", "v_proj.weight", "o_proj.weight" [D, heads * head_dim],
  // their ".bias" where there is one, with QK-norm "q_norm.weight", "k_norm.weight" ([head_dim] or the projection's
  // width), and "sinks" [heads].
  std::vector<Parameter> parameters() const override;

 private:
  struct Projection {
    Tensor weight;
    Tensor bias;  // undefined without one
    Tensor norm;  // the same
  };
  Projection projection(std::int64_t width, bool normed) const;
  Tensor prepared(Tape& tape, const Tensor& rows, const Projection& projection) const;

  AttentionOptions options_;
  Projection q_, k_, v_;
  Tensor o_weight_, o_bias_;
  Tensor sinks_;
};

}  // namespace witan
