// One pre-norm block of a decoder: x + attention(norm(x)), then x + feed_forward(norm(x)), where the feed-forward part
// is a mixture of experts or one dense network.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "layers/moe_layer.h"
#include "layers/self_attention.h"

namespace witan {

class FeedForwardExperts;

struct BlockOptions {
  AttentionOptions attention;
  bool mixture = true;
  MoeOptions moe;                      // of a mixture; a dense network takes hidden_act and gated from it
  std::int64_t intermediate_size = 0;  // of a dense network
};

struct BlockOutput {
  Tensor rows;                   // [T, D]
  std::optional<MoeOutput> moe;  // of a mixture
};

class TransformerBlock {
 public:
  // The router's weights are drawn from `random`; norms are 1 and the owner fills the rest. `rope` must outlive this
  // and every tape.
  TransformerBlock(const BlockOptions& options, const ops::RopeTable& rope, Random& random);
  ~TransformerBlock();

  BlockOutput forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer,
                      const RouterContext& context);
  // "self_attn.q_proj.weight", "input_layernorm.weight", "post_attention_layernorm.weight", "mlp.gate.weight",
  // "mlp.experts.up_proj"; of a dense network "mlp.up_proj" [1, F, D].
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> buffers() const;
  // Null in a dense block.
  MoeLayer* moe() { return moe_.get(); }

 private:
  float epsilon_;
  Tensor input_norm_;
  Tensor post_attention_norm_;
  SelfAttention attention_;
  std::unique_ptr<MoeLayer> moe_;
  std::unique_ptr<FeedForwardExperts> dense_;
};

}  // namespace witan
