// The block from its layers.
#include "layers/transformer_block.h"

#include "autograd/ops/activation.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/norm.h"
#include "experts/feed_forward.h"
#include "layers/parameters.h"

namespace witan {
TransformerBlock::TransformerBlock(const BlockOptions& options, const ops::RopeTable& rope, Random& random)
    : epsilon_(options.attention.norm_epsilon),
      input_norm_(trained_tensor({options.attention.hidden_size}, 1.0F)),
      post_attention_norm_(trained_tensor({options.attention.hidden_size}, 1.0F)),
      attention_(options.attention, rope) {
  const std::int64_t hidden = options.attention.hidden_size;
  if (options.mixture) {
    moe_ = std::make_unique<MoeLayer>(hidden, options.moe, random);
    return;
  }
  FeedForwardOptions dense;
  dense.hidden_size = hidden;
  dense.intermediate_size = options.intermediate_size;
  dense.activation = parse_activation(options.moe.hidden_act);
  dense.gated = options.moe.gated;
  dense.initializer_range = 0.0F;  // the owner fills it
  dense_ = std::make_unique<FeedForwardExperts>(dense, random);
}

TransformerBlock::~TransformerBlock() = default;

BlockOutput TransformerBlock::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer,
                                      const RouterContext& context) {
  const Tensor attended = attention_.forward(tape, ops::rms_norm(tape, rows, input_norm_, epsilon_), layout, layer);
  const Tensor middle = ops::add(tape, rows, attended);
  const Tensor normed = ops::rms_norm(tape, middle, post_attention_norm_, epsilon_);
  BlockOutput output;
  if (moe_ == nullptr) {
    output.rows = ops::add(tape, middle, dense_->forward_dense(tape, normed));
    return output;
  }
  output.moe = moe_->forward(tape, normed, context);
  output.rows = ops::add(tape, middle, output.moe->rows);
  return output;
}

std::vector<Parameter> TransformerBlock::parameters() const {
  std::vector<Parameter> result;
  result.push_back({"input_layernorm.weight", input_norm_, false});
  append_prefixed(result, "self_attn.", attention_.parameters());
  result.push_back({"post_attention_layernorm.weight", post_attention_norm_, false});
  append_prefixed(result, "mlp.", moe_ != nullptr ? moe_->parameters() : dense_->parameters());
  return result;
}

std::vector<Parameter> TransformerBlock::buffers() const {
  std::vector<Parameter> result;
  if (moe_ != nullptr) append_prefixed(result, "mlp.", moe_->buffers());
  return result;
}

}  // namespace witan
