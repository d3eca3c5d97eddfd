// Self-attention from ops.
#include "layers/self_attention.h"

#include "autograd/ops/clamp.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "layers/parameters.h"

namespace witan {

SelfAttention::SelfAttention(const AttentionOptions& options)
    : options_(options),
      q_(projection(options.heads * options.head_dim, true)),
      k_(projection(options.kv_heads * options.head_dim, true)),
      v_(projection(options.kv_heads * options.head_dim, false)),
      o_weight_(weight_tensor({options.hidden_size, options.heads * options.head_dim}, options.weights)) {
  if (options.output_bias) o_bias_ = trained_tensor({options.hidden_size}, 0.0F);
  if (options.sinks) sinks_ = trained_tensor({options.heads}, 0.0F);
}

SelfAttention::Projection SelfAttention::projection(std::int64_t width, bool normed) const {
  Projection result{weight_tensor({width, options_.hidden_size}, options_.weights), {}, {}};
  if (options_.bias) result.bias = trained_tensor({width}, 0.0F);
  if (normed && options_.qk_norm != "none") {
    result.norm = trained_tensor({options_.qk_norm == "head" ? options_.head_dim : width}, 1.0F);
  }
  return result;
}

Tensor SelfAttention::forward(Tape& tape, const Tensor& rows, const SequenceLayout& layout, std::int64_t layer) const {
  const Tensor q = ops::rope(tape, prepared(tape, rows, q_), layout.rope, layout.positions);
  const Tensor k = ops::rope(tape, prepared(tape, rows, k_), layout.rope, layout.positions);
  const Tensor v = prepared(tape, rows, v_);
  return ops::linear(tape, attend(tape, options_, q, k, v, sinks_, layout, layer), o_weight_, o_bias_);
}

Tensor SelfAttention::prepared(Tape& tape, const Tensor& rows, const Projection& projection) const {
  Tensor projected = ops::linear(tape, rows, projection.weight, projection.bias);
  if (projection.norm.defined()) projected = ops::rms_norm(tape, projected, projection.norm, options_.norm_epsilon);
  if (options_.clip_qkv > 0.0F) projected = ops::clamp(tape, projected, options_.clip_qkv);
  return projected;
}

std::vector<Parameter> SelfAttention::parameters() const {
  std::vector<Parameter> result = {{"q_proj.weight", q_.weight},
                                   {"k_proj.weight", k_.weight},
                                   {"v_proj.weight", v_.weight},
                                   {"o_proj.weight", o_weight_}};
  append_vector(result, "q_proj.bias", q_.bias);
  append_vector(result, "k_proj.bias", k_.bias);
  append_vector(result, "v_proj.bias", v_.bias);
  append_vector(result, "o_proj.bias", o_bias_);
  append_vector(result, "q_norm.weight", q_.norm);
  append_vector(result, "k_norm.weight", k_.norm);
  append_vector(result, "sinks", sinks_);
  return result;
}

}  // namespace witan
