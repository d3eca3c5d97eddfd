// The block from its layers.
#include "layers/transformer_block.h"

#include "autograd/ops/activation.h"
#include "autograd/ops/elementwise.h"
#include "experts/feed_forward.h"
#include "layers/parameters.h"

namespace witan {
TransformerBlock::TransformerBlock(const BlockOptions& options, Random& random)
    : post_norm_(options.post_norm),
      residual_multiplier_(options.residual_multiplier),
      attention_norm_(options.attention.hidden_size, options.norm),
      feed_forward_norm_(options.attention.hidden_size, options.norm),
      attention_(make_attention(options.attention)) {
  const std::int64_t hidden = options.attention.hidden_size;
  if (options.mixture) {
    moe_ = std::make_unique<MoeLayer>(hidden, options.moe, random);
    return;
  }
  FeedForwardOptions dense;
  dense.hidden_size = hidden;
  dense.intermediate_size = options.intermediate_size;
  dense.activation = parse_activation(options.moe.hidden_act);
  dense.gated = options.mlp_gated;
  dense.bias = options.mlp_bias;
  dense.initializer_range = 0.0F;  // the owner fills it
  dense.weights = options.moe.weights;
  dense_ = std::make_unique<FeedForwardExperts>(dense, random);
}

TransformerBlock::~TransformerBlock() = default;

BlockOutput TransformerBlock::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer,
                                      const RouterContext& context) {
  const Tensor attended =
      attention_->forward(tape, post_norm_ ? rows : attention_norm_.forward(tape, rows), layout, layer);
  const Tensor middle = joined(tape, rows, attended, attention_norm_);
  const Tensor input = post_norm_ ? middle : feed_forward_norm_.forward(tape, middle);
  BlockOutput output;
  output.attention = attended;
  if (moe_ == nullptr) {
    output.dense = dense_->forward_dense(tape, input);
    output.rows = joined(tape, middle, output.dense, feed_forward_norm_);
    return output;
  }
  output.moe = moe_->forward(tape, input, context);
  output.rows = joined(tape, middle, output.moe->rows, feed_forward_norm_);
  return output;
}

Tensor TransformerBlock::joined(Tape& tape, const Tensor& stream, const Tensor& part, const Norm& norm) const {
  Tensor added = post_norm_ ? norm.forward(tape, part) : part;
  if (residual_multiplier_ != 1.0F) added = ops::scale(tape, added, residual_multiplier_);
  return ops::add(tape, stream, added);
}

std::vector<Parameter> TransformerBlock::parameters() const {
  std::vector<Parameter> result;
  attention_norm_.append_parameters(post_norm_ ? "post_attention_layernorm" : "input_layernorm", result);
  append_prefixed(result, "self_attn.", attention_->parameters());
  feed_forward_norm_.append_parameters(post_norm_ ? "post_feedforward_layernorm" : "post_attention_layernorm", result);
  append_prefixed(result, "mlp.", moe_ != nullptr ? moe_->parameters() : dense_->parameters());
  return result;
}

std::vector<Parameter> TransformerBlock::buffers() const {
  std::vector<Parameter> result;
  if (moe_ != nullptr) append_prefixed(result, "mlp.", moe_->buffers());
  return result;
}

}  // namespace witan
