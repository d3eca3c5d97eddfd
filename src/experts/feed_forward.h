// A bank of feed-forward experts: gated (SwiGLU and its kin) or plain, one or many. A shared expert is a bank of one
// wide expert, and so is the feed-forward network of a dense layer.
#pragma once

#include <vector>

#include "base/random.h"
#include "kernels/activation.h"
#include "witan/expert.h"

namespace witan {

struct FeedForwardOptions {
  std::int64_t num_experts = 1;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  Activation activation = Activation::kSilu;
  // Gated: down_proj (act(gate_proj x) * (up_proj x)). Plain: down_proj act(up_proj x).
  bool gated = true;
  bool bias = false;          // of every projection; such a bank is slower, since nothing is fused
  float swiglu_limit = 0.0F;  // above 0: the gated unit is clamped_swiglu with this limit, whatever `activation` says
  float initializer_range = 0.02F;  // standard deviation of the first weights; 0: zeros for the owner to fill
  // Of the matrices. Others than f32 are for inference: zeros for the owner to fill, whatever initializer_range says.
  Precision weights = Precision::kF32;
};

class FeedForwardExperts final : public Expert {
 public:
  // Weights are drawn from `random`, biases 0. Throws Error for sizes below 1.
  FeedForwardExperts(const FeedForwardOptions& options, Random& random);

  std::int64_t num_experts() const override { return options_.num_experts; }
  // rows [T, D] -> [num_assigned, D]. The assignment must outlive the tape. Throws Error when it does not fit.
  Tensor forward(Tape& tape, const Tensor& rows, const Assignment& assignment) const override;
  // Every row to the only expert: rows [T, D] -> [T, D], bit for bit what forward gives. Throws Error when there are
  // several experts.
  Tensor forward_dense(Tape& tape, const Tensor& rows) const;
  // "gate_proj" [E, F, D] when gated, "up_proj" [E, F, D], "down_proj" [E, D, F]; with biases "gate_proj_bias" [E, F],
  // "up_proj_bias", "down_proj_bias" [E, D].
  std::vector<Parameter> parameters() const override;

 private:
  // The op that does it all knows no biases and no clamping.
  bool fused() const { return !options_.bias && options_.swiglu_limit == 0.0F; }
  // Product after product: project(x, weight, bias, whether x are the rows themselves).
  template <class Project>
  Tensor composed(Tape& tape, const Tensor& rows, const Project& project) const;

  FeedForwardOptions options_;
  Tensor gate_proj_;  // undefined when not gated
  Tensor up_proj_;
  Tensor down_proj_;
  Tensor gate_bias_, up_bias_, down_bias_;  // undefined without biases
};

}  // namespace witan
