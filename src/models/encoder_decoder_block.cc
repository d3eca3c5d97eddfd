// The layer from its parts.
#include "models/encoder_decoder_block.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "dispatch/combine.h"
#include "experts/feed_forward.h"
#include "layers/biased_attention.h"
#include "layers/kv_cache.h"
#include "models/named_tensors.h"
#include "models/stored_pieces.h"

namespace witan {
namespace {

const StackConfig& stack_of(const EncoderDecoderConfig& config, EncoderDecoderBlock::Side side) {
  return side == EncoderDecoderBlock::Side::kEncoder ? config.encoder : config.decoder;
}

}  // namespace

Norm read_norm(const EncoderDecoderConfig& config, const std::string& name, NamedTensors& tensors) {
  Norm norm(config.hidden_size, config.norm);
  std::vector<Parameter> parameters;
  norm.append_parameters(name, parameters);
  for (const Parameter& parameter : parameters) {
    tensors.read_into(parameter.name, dimensions(parameter.value.shape()), parameter.value.values());
  }
  return norm;
}

EncoderDecoderBlock::EncoderDecoderBlock(const EncoderDecoderConfig& config, Side side, std::int64_t layer,
                                         const EncoderDecoderNames& names, NamedTensors& tensors)
    : config_(config), stack_(stack_of(config, side)), layer_(layer) {
  const StackNames& stack = side == Side::kEncoder ? names.encoder : names.decoder;
  shown_prefix_ = fmt::format("{}.layers.{}.", side == Side::kEncoder ? "encoder" : "decoder", layer);
  const std::string prefix = fmt::format("{}{}.", stack.layers, layer);
  const auto named = [&](std::string_view part) { return prefix + std::string(part); };
  self_ = read_attention(named(stack.self_attention_norm), named(stack.self_attention), names, tensors);
  if (side == Side::kDecoder) {
    cross_ = read_attention(named(stack.cross_attention_norm), named(stack.cross_attention), names, tensors);
  }
  feed_forward_norm_ = read_norm(config_, named(stack.feed_forward_norm), tensors);
  read_feed_forward(named(stack.feed_forward), names, tensors);
}

EncoderDecoderBlock::~EncoderDecoderBlock() = default;

EncoderDecoderBlock::Projection EncoderDecoderBlock::read_projection(const std::string& name, std::int64_t out,
                                                                     std::int64_t in, bool bias,
                                                                     NamedTensors& tensors) const {
  Projection projection{tensors.read(name + ".weight", {out, in}), {}};
  if (bias) projection.bias = tensors.read(name + ".bias", {out});
  return projection;
}

EncoderDecoderBlock::Attention EncoderDecoderBlock::read_attention(const std::string& norm, const std::string& prefix,
                                                                   const EncoderDecoderNames& names,
                                                                   NamedTensors& tensors) const {
  const std::int64_t width = stack_.num_heads * stack_.head_dim;
  const std::int64_t hidden = config_.hidden_size;
  const auto into = [&](std::string_view name) {
    return read_projection(prefix + std::string(name), width, hidden, config_.bias, tensors);
  };
  return {read_norm(config_, norm, tensors), into(names.q), into(names.k), into(names.v),
          read_projection(prefix + std::string(names.o), hidden, width, config_.bias, tensors)};
}

void EncoderDecoderBlock::read_feed_forward(const std::string& prefix, const EncoderDecoderNames& names,
                                            NamedTensors& tensors) {
  const bool sparse = stack_.sparse[static_cast<std::size_t>(layer_)];
  const std::int64_t hidden = config_.hidden_size;
  const std::int64_t width = stack_.intermediate_size;
  const std::int64_t experts = sparse ? config_.num_experts : 1;
  struct Part {
    std::string_view ours;
    std::string stored;
    std::vector<std::int64_t> shape;
  };
  std::vector<Part> parts = {{"up_proj", fmt::format("{}.weight", names.up), {width, hidden}},
                             {"down_proj", fmt::format("{}.weight", names.down), {hidden, width}}};
  if (config_.bias) {
    parts.push_back({"up_proj_bias", fmt::format("{}.bias", names.up), {width}});
    parts.push_back({"down_proj_bias", fmt::format("{}.bias", names.down), {hidden}});
  }
  const auto stored = [&](std::int64_t expert, const Part& part) {
    return sparse ? fmt::format("{}{}{}.{}", prefix, names.experts, expert, part.stored) : prefix + part.stored;
  };
  if (sparse) {
    router_name_ = prefix + std::string(names.router.substr(0, names.router.find('.')));
    router_ = read_projection(prefix + std::string(names.router), experts, hidden, config_.router_bias, tensors);
    round_to(config_.routing.precision, router_.weight.values());
    if (router_.bias.defined()) round_to(config_.routing.precision, router_.bias.values());
  }
  // The bank takes its memory at once: first see that the files fill it.
  for (std::int64_t expert = 0; expert < experts; ++expert) {
    for (const Part& part : parts) tensors.require(stored(expert, part), part.shape);
  }
  Random unused(0);
  experts_ = std::make_unique<FeedForwardExperts>(FeedForwardOptions{.num_experts = experts,
                                                                     .hidden_size = hidden,
                                                                     .intermediate_size = width,
                                                                     .activation = config_.activation,
                                                                     .gated = false,
                                                                     .bias = config_.bias,
                                                                     .initializer_range = 0.0F},
                                                  unused);
  for (const Parameter& bank : experts_->parameters()) {
    const auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return p.ours == bank.name; });
    const auto size = static_cast<std::size_t>(bank.value.numel() / experts);
    for (std::int64_t expert = 0; expert < experts; ++expert) {
      tensors.read_into(stored(expert, *part), part->shape,
                        bank.value.values().subspan(static_cast<std::size_t>(expert) * size, size));
    }
  }
}

void EncoderDecoderBlock::show(const EncoderDecoderObserver& observer, const char* part, const Tensor& tensor) const {
  if (observer.tensors) observer.tensors(shown_prefix_ + part, tensor);
}

std::vector<Parameter> EncoderDecoderBlock::experts() const {
  return router_.weight.defined() ? experts_->parameters() : std::vector<Parameter>();
}

float EncoderDecoderBlock::scale() const {
  if (config_.attention_scale > 0.0F) return config_.attention_scale;
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(stack_.head_dim)));
}

Tensor EncoderDecoderBlock::encode(const Tensor& rows, const Tensor& bias,
                                   const EncoderDecoderObserver& observer) const {
  Tape off;
  const Tensor normed = self_->norm.forward(off, rows);
  const auto projected = [&](const Projection& p) { return ops::linear(off, normed, p.weight, p.bias); };
  const Tensor keys = projected(self_->k);
  const Tensor values = projected(self_->v);
  const Tensor mixed = attend_with_bias({.heads = stack_.num_heads, .scale = scale()}, projected(self_->q),
                                        keys.matrix(), values.matrix(), bias);
  const Tensor attended = ops::linear(off, mixed, self_->o.weight, self_->o.bias);
  show(observer, "attention", attended);
  return feed_forward(ops::add(off, rows, attended), observer);
}

SourceMemory EncoderDecoderBlock::remember(const Tensor& source) const {
  Tape off;
  return {ops::linear(off, source, cross_->k.weight, cross_->k.bias),
          ops::linear(off, source, cross_->v.weight, cross_->v.bias)};
}

Tensor EncoderDecoderBlock::decode(const Tensor& rows, const Tensor& bias, KvCache& cache, const SourceMemory& source,
                                   const EncoderDecoderObserver& observer) const {
  Tape off;
  const Tensor normed = self_->norm.forward(off, rows);
  const auto projected = [&](const Tensor& x, const Projection& p) { return ops::linear(off, x, p.weight, p.bias); };
  cache.store(layer_, projected(normed, self_->k), projected(normed, self_->v));
  const std::int64_t total = cache.length() + rows.rows();
  const Tensor own =
      attend_with_bias({.heads = stack_.num_heads, .scale = scale(), .causal = true, .first_position = cache.length()},
                       projected(normed, self_->q), cache.keys(layer_, total), cache.values(layer_, total), bias);
  const Tensor attended = projected(own, self_->o);
  show(observer, "attention", attended);
  const Tensor middle = ops::add(off, rows, attended);

  const Tensor query = projected(cross_->norm.forward(off, middle), cross_->q);
  const Tensor of_source = attend_with_bias({.heads = stack_.num_heads, .scale = scale()}, query, source.keys.matrix(),
                                            source.values.matrix(), {});
  const Tensor crossed = projected(of_source, cross_->o);
  show(observer, "cross_attention", crossed);
  return feed_forward(ops::add(off, middle, crossed), observer);
}

Tensor EncoderDecoderBlock::feed_forward(const Tensor& rows, const EncoderDecoderObserver& observer) const {
  Tape off;
  const Tensor normed = feed_forward_norm_->forward(off, rows);
  const bool sparse = router_.weight.defined();
  const Tensor said = sparse ? mixture(normed, observer) : experts_->forward_dense(off, normed);
  show(observer, sparse ? "moe.output" : "mlp.output", said);
  Tensor output = ops::add(off, rows, said);
  show(observer, "output", output);
  return output;
}

Tensor EncoderDecoderBlock::mixture(const Tensor& rows, const EncoderDecoderObserver& observer) const {
  Tape off;
  Tensor seen = rows;
  if (config_.routing.precision != DType::kF32) {
    seen = Tensor::from(rows.shape(), rows.values());  // the experts get the rows as they are
    round_to(config_.routing.precision, seen.values());
  }
  const Tensor logits = ops::linear(off, seen, router_.weight, router_.bias);
  round_to(config_.routing.precision, logits.values());
  const Routing routing = route_with_capacity(config_.routing, logits);
  const Assignment& assignment = *routing.assignment;
  show(observer, "moe.router", logits);
  if (observer.mixtures) observer.mixtures(router_name_, routing, rows);
  if (assignment.num_assigned() == 0) return Tensor::zeros(rows.shape());
  return combine(off, expert_outputs(rows, assignment),
                 ops::scale(off, routing.combine_weights, config_.expert_output_multiplier), assignment);
}

Tensor EncoderDecoderBlock::expert_outputs(const Tensor& rows, const Assignment& assignment) const {
  Tape off;
  return experts_->forward(off, rows, assignment);
}

}  // namespace witan
