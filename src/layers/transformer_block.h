// One block of a decoder: x + attention(norm(x)), then x + feed_forward(norm(x)), where the feed-forward part is a
// mixture of experts or one dense network; or with the norms behind both parts: x + norm(attention(x)).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "layers/attention.h"
#include "layers/moe_layer.h"
#include "layers/norm.h"

namespace witan {

class FeedForwardExperts;

struct BlockOptions {
  AttentionOptions attention;
  NormOptions norm;
  bool post_norm = false;            // the norms stand behind attention and feed-forward part (OLMo 2)
  float residual_multiplier = 1.0F;  // of what both parts add
  bool mixture = true;
  MoeOptions moe;                      // of a mixture; a dense network takes hidden_act and weights from it
  std::int64_t intermediate_size = 0;  // of a dense network
  bool mlp_gated = true;               // the same
  bool mlp_bias = false;               // the same
};

struct BlockOutput {
  Tensor rows;                   // [T, D]
  Tensor attention;              // [T, D], what attention gave
  Tensor dense;                  // [T, D], what the network of a block without a mixture gave
  std::optional<MoeOutput> moe;  // of a mixture
};

class TransformerBlock {
 public:
  // The router's weights are drawn from `random`; norms are 1 and the owner fills the rest.
  TransformerBlock(const BlockOptions& options, Random& random);
  ~TransformerBlock();

  BlockOutput forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer,
                      const RouterContext& context);
  // "self_attn.q_proj.weight", "input_layernorm.weight", "post_attention_layernorm.weight", "mlp.gate.weight",
  // "mlp.experts.up_proj"; of a dense network "mlp.up_proj" [1, F, D]; with norms behind, "post_attention_layernorm"
  // and "post_feedforward_layernorm".
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> buffers() const;
  // Null in a dense block.
  MoeLayer* moe() { return moe_.get(); }
  const MoeLayer* moe() const { return moe_.get(); }

 private:
  // What a part adds to the residual stream.
  Tensor joined(Tape& tape, const Tensor& stream, const Tensor& part, const Norm& norm) const;

  bool post_norm_;
  float residual_multiplier_;
  Norm attention_norm_;
  Norm feed_forward_norm_;
  std::unique_ptr<Attention> attention_;
  std::unique_ptr<MoeLayer> moe_;
  std::unique_ptr<FeedForwardExperts> dense_;
};

}  // namespace witan
