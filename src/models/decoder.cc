// The decoder: embedding, blocks, final norm.
#include "models/decoder.h"

#include <fmt/core.h>

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/embedding.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/rope.h"
#include "base/error.h"
#include "layers/kv_cache.h"
#include "layers/output_mixture.h"
#include "layers/parameters.h"
#include "layers/transformer_block.h"
#include "models/initialize.h"

namespace witan {
namespace {

std::string layer_prefix(std::size_t layer) { return fmt::format("model.layers.{}.", layer); }

void check_pass(const DecoderConfig& config, std::span<const std::int32_t> ids, std::int64_t batch,
                std::int64_t sequence, const KvCache* cache) {
  if (batch < 1 || sequence < 1 || static_cast<std::int64_t>(ids.size()) != batch * sequence) {
    fail("decoder: {} token ids are not batch={} times sequence={}", ids.size(), batch, sequence);
  }
  if (cache == nullptr) {
    if (sequence > config.max_position_embeddings) {
      fail("decoder: a sequence of {} tokens exceeds max_position_embeddings={}", sequence,
           config.max_position_embeddings);
    }
    return;
  }
  if (batch != 1) fail("decoder: a cache continues one sequence, not batch={}", batch);
  WITAN_ASSERT(cache->num_layers() == config.num_hidden_layers);
  WITAN_ASSERT(cache->width() == config.num_key_value_heads * config.dim_per_head());
  cache->require_room(sequence);
}

PooledVector<std::int32_t> row_positions(std::int64_t batch, std::int64_t sequence, std::int64_t first) {
  PooledVector<std::int32_t> positions(static_cast<std::size_t>(batch * sequence));
  for (std::size_t row = 0; row < positions.size(); ++row) {
    positions[row] = static_cast<std::int32_t>(first + static_cast<std::int64_t>(row) % sequence);
  }
  return positions;
}

}  // namespace

Decoder::Decoder(const DecoderConfig& config, std::uint64_t seed) : Decoder(config, seed, true) {}

std::unique_ptr<Decoder> Decoder::with_zeros(const DecoderConfig& config) {
  return std::unique_ptr<Decoder>(new Decoder(config, 0, false));
}

Decoder::Decoder(const DecoderConfig& config, std::uint64_t seed, bool draw) : config_(config) {
  config_.validate();
  rope_ = std::make_unique<ops::RopeTable>(
      ops::make_rope_table(config_.dim_per_head(), config_.max_position_embeddings, config_.rope_theta));
  embedding_ = trained_tensor({config_.vocab_size, config_.hidden_size}, 0.0F);
  if (!config_.tie_word_embeddings) head_ = trained_tensor({config_.vocab_size, config_.hidden_size}, 0.0F);
  final_norm_ = trained_tensor({config_.hidden_size}, 1.0F);
  if (config_.num_output_softmaxes > 1) {
    output_mixture_ = std::make_unique<OutputMixture>(config_.hidden_size, config_.num_output_softmaxes);
  }
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    Random random = named_stream(seed, fmt::format("model.layers.{}.router", layer));
    layers_.push_back(std::make_unique<TransformerBlock>(block_options(layer), *rope_, random));
  }
  if (draw) initialize_weights(parameters(), config_, seed);
}

Decoder::~Decoder() = default;

BlockOptions Decoder::block_options(std::int64_t layer) const {
  BlockOptions options;
  options.attention = {.hidden_size = config_.hidden_size,
                       .heads = config_.num_attention_heads,
                       .kv_heads = config_.num_key_value_heads,
                       .head_dim = config_.dim_per_head(),
                       .qk_norm = config_.qk_norm,
                       .norm_epsilon = static_cast<float>(config_.rms_norm_eps),
                       .clip_qkv = static_cast<float>(config_.clip_qkv)};
  options.mixture = config_.is_moe_layer(layer);
  options.moe = config_.mixture_options();
  options.moe.initializer_range = 0.0;  // initialize_weights draws them, under the names of the whole model
  options.intermediate_size = config_.intermediate_size;
  return options;
}

DecoderOutput Decoder::forward(Tape& tape, std::span<const std::int32_t> ids, std::int64_t batch, std::int64_t sequence,
                               const RouterContext& context, KvCache* cache, const RoutingObserver& observer,
                               const LayerObserver& layer_observer) {
  check_pass(config_, ids, batch, sequence, cache);
  RouterContext row_context = context;
  if (row_context.rows_per_sequence == 0) row_context.rows_per_sequence = sequence;
  if (row_context.token_ids.empty()) row_context.token_ids = ids;
  const PooledVector<std::int32_t> positions = row_positions(batch, sequence, cache == nullptr ? 0 : cache->length());
  row_context.positions = positions;
  if (cache != nullptr) row_context.token_before = cache->last_token();
  const SequenceLayout layout{batch, sequence, positions, cache};

  DecoderOutput output;
  std::vector<MoeOutput> mixtures;
  Tensor rows = ops::embedding(tape, embedding_, ids);
  if (layer_observer) layer_observer(kEmbeddingLayer, rows);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<std::int64_t>(i);
    BlockOutput block = layers_[i]->forward(tape, rows, layout, layer, row_context);
    rows = std::move(block.rows);
    if (layer_observer) layer_observer(layer, rows);
    if (!block.moe) continue;
    if (observer) observer(layer, block.moe->routing);
    block.moe->rows = Tensor();  // its memory serves the next layer
    output.metrics.push_back(block.moe->metrics);
    output.moe_layers.push_back(layer);
    mixtures.push_back(std::move(*block.moe));
  }
  output.hidden = ops::rms_norm(tape, rows, final_norm_, static_cast<float>(config_.rms_norm_eps));
  output.balance = combine_balance(tape, config_.moe, mixtures, row_context);
  if (cache != nullptr) cache->advance(ids);
  return output;
}

KvCache Decoder::make_cache() const {
  return {config_.num_hidden_layers, config_.num_key_value_heads * config_.dim_per_head(),
          config_.max_position_embeddings};
}

Tensor Decoder::loss(Tape& tape, const Tensor& hidden, std::span<const std::int32_t> targets,
                     std::span<float> row_losses) const {
  if (output_mixture_ != nullptr) return output_mixture_->loss(tape, hidden, head(), targets, row_losses);
  return ops::cross_entropy(tape, hidden, head(), targets, row_losses);
}

Tensor Decoder::logits(const Tensor& hidden) const {
  if (output_mixture_ != nullptr) return output_mixture_->log_probabilities(hidden, head());
  Tape off;
  return ops::linear(off, hidden.detached(), head());
}

std::vector<Parameter> Decoder::parameters() const {
  std::vector<Parameter> result = {{"model.embed_tokens.weight", embedding_}};
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    append_prefixed(result, layer_prefix(layer), layers_[layer]->parameters());
  }
  result.push_back({"model.norm.weight", final_norm_, false});
  if (head_.defined()) result.push_back({"lm_head.weight", head_});
  if (output_mixture_ != nullptr) append_prefixed(result, "lm_head_mixture.", output_mixture_->parameters());
  return result;
}

std::vector<Parameter> Decoder::buffers() const {
  std::vector<Parameter> result;
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    append_prefixed(result, layer_prefix(layer), layers_[layer]->buffers());
  }
  return result;
}

void Decoder::prepare_routers(std::span<const std::int64_t> token_counts) {
  WITAN_ASSERT(static_cast<std::int64_t>(token_counts.size()) == config_.vocab_size);
  for (const std::unique_ptr<TransformerBlock>& layer : layers_) {
    if (layer->moe() != nullptr) layer->moe()->router().prepare({token_counts, &embedding_});
  }
}

void Decoder::after_step(std::span<const std::vector<std::int64_t>> requested_rows_per_moe_layer) {
  std::size_t next = 0;
  for (const std::unique_ptr<TransformerBlock>& layer : layers_) {
    if (layer->moe() == nullptr) continue;
    WITAN_ASSERT(next < requested_rows_per_moe_layer.size());
    layer->moe()->router().after_step(requested_rows_per_moe_layer[next++]);
  }
  WITAN_ASSERT(next == requested_rows_per_moe_layer.size());
}

ParameterCounts Decoder::counts() const {
  ParameterCounts counts;
  for (const Parameter& parameter : parameters()) {
    const std::int64_t size = parameter.value.numel();
    const bool routed = parameter.name.find(".mlp.experts.") != std::string::npos;
    counts.total += size;
    counts.active += routed ? size / config_.moe.num_experts * config_.moe.num_experts_per_tok : size;
  }
  return counts;
}

}  // namespace witan
