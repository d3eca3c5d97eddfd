// The decoder: embedding, blocks, final norm.
#include "models/decoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops/columns.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/embedding.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/rope.h"
#include "base/error.h"
#include "layers/kv_cache.h"
#include "layers/norm.h"
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
    if (sequence > config.max_positions()) {
      fail("decoder: a sequence of {} tokens exceeds max_position_embeddings={}", sequence, config.max_positions());
    }
    return;
  }
  if (batch != 1) fail("decoder: a cache continues one sequence, not batch={}", batch);
  WITAN_ASSERT(cache->num_layers() == config.num_hidden_layers);
  WITAN_ASSERT(cache->key_width() + cache->value_width() == config.cached_per_position());
  cache->require_room(sequence);
}

PooledVector<std::int32_t> row_positions(std::int64_t batch, std::int64_t sequence, std::int64_t first) {
  PooledVector<std::int32_t> positions(static_cast<std::size_t>(batch * sequence));
  for (std::size_t row = 0; row < positions.size(); ++row) {
    positions[row] = static_cast<std::int32_t>(first + static_cast<std::int64_t>(row) % sequence);
  }
  return positions;
}

// How many tokens each sequence of a batch has: its rows up to the last that is not masked.
std::vector<std::int64_t> sequence_lengths(std::int64_t batch, std::int64_t sequence,
                                           std::span<const std::uint8_t> row_mask) {
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(batch), sequence);
  if (row_mask.empty()) return lengths;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::span<const std::uint8_t> rows =
        row_mask.subspan(i * static_cast<std::size_t>(sequence), static_cast<std::size_t>(sequence));
    while (lengths[i] > 1 && rows[static_cast<std::size_t>(lengths[i]) - 1] == 0) --lengths[i];
  }
  return lengths;
}

NormOptions norm_options(const DecoderConfig& config) {
  return {config.norm, config.norm_bias, static_cast<float>(config.rms_norm_eps)};
}

// `rows`: what left the block.
void show_block(const TensorObserver& show, std::int64_t layer, const BlockOutput& block, const Tensor& rows) {
  const auto named = [&](const char* part) { return fmt::format("layers.{}.{}", layer, part); };
  show(named("attention"), block.attention);
  if (block.moe) {
    if (block.moe->scores.defined()) show(named("moe.router"), block.moe->scores);
    show(named("moe.output"), block.moe->rows);
  } else {
    show(named("mlp.output"), block.dense);
  }
  show(named("output"), rows);
}

// A mixture of softmaxes reads the embedding as f32.
Precision embedding_precision(const DecoderConfig& config, Precision weights) {
  return config.num_output_softmaxes > 1 ? Precision::kF32 : weights;
}

}  // namespace

Decoder::Decoder(const DecoderConfig& config, std::uint64_t seed) : Decoder(config, seed, Precision::kF32, true) {}

std::unique_ptr<Decoder> Decoder::with_zeros(const DecoderConfig& config, Precision weights) {
  return std::unique_ptr<Decoder>(new Decoder(config, 0, weights, false));
}

Decoder::Decoder(const DecoderConfig& config, std::uint64_t seed, Precision weights, bool draw) : config_(config) {
  config_.validate();
  const Precision outside = embedding_precision(config_, weights);
  embedding_ = weight_tensor({config_.vocab_size, config_.hidden_size}, outside);
  if (!config_.tie_word_embeddings) head_ = weight_tensor({config_.vocab_size, config_.hidden_size}, outside);
  if (config_.lm_head_bias) head_bias_ = trained_tensor({config_.vocab_size}, 0.0F);
  final_norm_ = std::make_unique<Norm>(config_.hidden_size, norm_options(config_));
  if (config_.num_output_softmaxes > 1) {
    output_mixture_ = std::make_unique<OutputMixture>(config_.hidden_size, config_.num_output_softmaxes);
  }
  for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    Random random = named_stream(seed, fmt::format("model.layers.{}.router", layer));
    layers_.push_back(std::make_unique<TransformerBlock>(block_options(layer, weights), random));
  }
  if (draw) initialize_weights(parameters(), config_, seed);
}

Decoder::~Decoder() = default;

BlockOptions Decoder::block_options(std::int64_t layer, Precision weights) const {
  BlockOptions options;
  options.attention = {.hidden_size = config_.hidden_size,
                       .heads = config_.num_attention_heads,
                       .kv_heads = config_.key_heads(),
                       .head_dim = config_.dim_per_head(),
                       .qk_norm = config_.qk_norm,
                       .norm_epsilon = static_cast<float>(config_.rms_norm_eps),
                       .clip_qkv = static_cast<float>(config_.clip_qkv),
                       .bias = config_.attention_bias,
                       .output_bias = config_.attention_output_bias,
                       .sinks = config_.attention_sinks,
                       .scale = static_cast<float>(config_.attention_multiplier),
                       .window = config_.window_of_layer(layer),
                       .kv_lora_rank = config_.kv_lora_rank,
                       .q_lora_rank = config_.q_lora_rank,
                       .qk_nope_head_dim = config_.qk_nope_head_dim,
                       .qk_rope_head_dim = config_.qk_rope_head_dim,
                       .v_head_dim = config_.v_head_dim,
                       .rope_interleave = config_.rope_interleave};
  if (config_.is_latent() && config_.attention_multiplier == 0.0) {  // heads are padded: their width is not the scale's
    const auto width = static_cast<double>(config_.qk_nope_head_dim + config_.qk_rope_head_dim);
    options.attention.scale = static_cast<float>(1.0 / std::sqrt(width));
  }
  options.attention.weights = weights;
  options.norm = norm_options(config_);
  options.post_norm = config_.post_norm;
  options.residual_multiplier = static_cast<float>(config_.residual_multiplier);
  options.mixture = config_.is_moe_layer(layer);
  options.moe = config_.mixture_options();
  options.moe.weights = weights;
  options.moe.initializer_range = 0.0;  // initialize_weights draws them, under the names of the whole model
  options.intermediate_size = config_.intermediate_size;
  options.mlp_gated = config_.dense_is_gated();
  options.mlp_bias = config_.mlp_bias;
  return options;
}

std::shared_ptr<const ops::RopeTable> Decoder::rope_table(std::int64_t first, std::int64_t count, std::int64_t length) {
  const bool same_angles = !config_.rope.depends_on_length() || rope_length_ == length;
  if (rope_ != nullptr && same_angles && rope_->first <= first && first + count <= rope_->first + rope_->positions()) {
    return rope_;
  }
  const RopeFrequencies frequencies =
      rope_frequencies(config_.rope, config_.rope_theta, config_.rotary_dim(), config_.max_position_embeddings, length);
  rope_ = std::make_shared<const ops::RopeTable>(
      ops::make_rope_table(config_.dim_per_head(), first, count, frequencies.inverse, frequencies.factor));
  rope_length_ = length;
  return rope_;
}

Decoder::Rope Decoder::rope_by_length(std::span<const std::int64_t> lengths, std::int64_t sequence) const {
  std::vector<RopeFrequencies> kinds;
  auto table = std::make_shared<ops::RopeTable>();
  Rope result{table, row_positions(static_cast<std::int64_t>(lengths.size()), sequence, 0)};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const RopeFrequencies wanted = rope_frequencies(config_.rope, config_.rope_theta, config_.rotary_dim(),
                                                    config_.max_position_embeddings, lengths[i]);
    const auto kind = std::ranges::find(kinds, wanted) - kinds.begin();
    if (kind == static_cast<std::ptrdiff_t>(kinds.size())) {
      kinds.push_back(wanted);
      const ops::RopeTable block =
          ops::make_rope_table(config_.dim_per_head(), 0, sequence, wanted.inverse, wanted.factor);
      table->head_dim = block.head_dim;
      table->cosines.insert(table->cosines.end(), block.cosines.begin(), block.cosines.end());
      table->sines.insert(table->sines.end(), block.sines.begin(), block.sines.end());
    }
    for (std::int64_t row = 0; row < sequence; ++row) {
      result.positions[i * static_cast<std::size_t>(sequence) + static_cast<std::size_t>(row)] +=
          static_cast<std::int32_t>(kind * sequence);
    }
  }
  return result;
}

DecoderOutput Decoder::forward(Tape& tape, std::span<const std::int32_t> ids, std::int64_t batch, std::int64_t sequence,
                               const RouterContext& context, KvCache* cache, const DecoderObserver& observer) {
  check_pass(config_, ids, batch, sequence, cache);
  RouterContext row_context = context;
  if (row_context.rows_per_sequence == 0) row_context.rows_per_sequence = sequence;
  if (row_context.token_ids.empty()) row_context.token_ids = ids;
  const std::int64_t first = cache == nullptr ? 0 : cache->length();
  const PooledVector<std::int32_t> positions = row_positions(batch, sequence, first);
  row_context.positions = positions;
  if (cache != nullptr) row_context.token_before = cache->last_token();
  const bool by_length = cache == nullptr && config_.rope.depends_on_length();
  const std::int64_t length = std::max(first + sequence, cache == nullptr ? 0 : cache->expected_length());
  const Rope rope = by_length ? rope_by_length(sequence_lengths(batch, sequence, row_context.row_mask), sequence)
                              : Rope{rope_table(first, sequence, length), positions};
  tape.keep(rope.table);
  const SequenceLayout layout{batch, sequence, rope.positions, *rope.table, cache};

  DecoderOutput output;
  std::vector<MoeOutput> mixtures;
  Tensor rows = ops::embedding(tape, embedding_, ids);
  if (config_.embedding_multiplier != 1.0) {
    rows = ops::scale(tape, rows, static_cast<float>(config_.embedding_multiplier));
  }
  if (observer.tensors) observer.tensors("embedding", rows);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto layer = static_cast<std::int64_t>(i);
    BlockOutput block = layers_[i]->forward(tape, rows, layout, layer, row_context);
    rows = std::move(block.rows);
    if (observer.tensors) show_block(observer.tensors, layer, block, rows);
    if (!block.moe) continue;
    if (observer.mixtures) observer.mixtures(layer, block.moe->routing, block.moe->input);
    block.moe->rows = block.moe->scores = block.moe->input = Tensor();  // their memory serves the next layer
    output.metrics.push_back(block.moe->metrics);
    output.moe_layers.push_back(layer);
    mixtures.push_back(std::move(*block.moe));
  }
  output.hidden = final_norm_->forward(tape, rows);
  if (observer.tensors) observer.tensors("final_norm", output.hidden);
  output.balance = combine_balance(tape, config_.moe, mixtures, row_context);
  if (cache != nullptr) cache->advance(ids);
  return output;
}

const MoeLayer* Decoder::mixture(std::int64_t layer) const {
  return layers_.at(static_cast<std::size_t>(layer))->moe();
}

KvCache Decoder::make_cache() const {
  const std::int64_t layers = config_.num_hidden_layers;
  if (config_.is_latent()) {
    return KvCache::of_latents(layers, config_.cached_per_position(), config_.max_positions());
  }
  return {layers, config_.key_heads() * config_.dim_per_head(), config_.max_positions()};
}

Decoder::Output Decoder::output(Tape& tape, const Tensor& hidden) const {
  Output result{hidden, head()};
  if (config_.logits_scaling != 1.0) {
    result.hidden = ops::scale(tape, hidden, static_cast<float>(1.0 / config_.logits_scaling));
  }
  if (!head_bias_.defined()) return result;
  // One more column: ones in the rows, the bias in the head.
  const std::int64_t width = config_.hidden_size;
  auto rows_map = std::make_shared<ops::ColumnMap>(static_cast<std::size_t>(width) + 1, ops::kNoColumn);
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(width); ++c) (*rows_map)[static_cast<std::size_t>(c)] = c;
  auto bias_map = std::make_shared<ops::ColumnMap>(static_cast<std::size_t>(width) + 1, ops::kNoColumn);
  (*bias_map)[static_cast<std::size_t>(width)] = 0;
  const Tensor ones = ops::select_columns(tape, Tensor::full({hidden.rows(), 1}, 1.0F), bias_map);
  const Tensor bias = ops::select_columns(tape, head_bias_.reshaped({config_.vocab_size, 1}), bias_map);
  result.hidden = ops::add(tape, ops::select_columns(tape, result.hidden, rows_map), ones);
  result.head = ops::add(tape, ops::select_columns(tape, result.head, rows_map), bias);
  return result;
}

Tensor Decoder::loss(Tape& tape, const Tensor& hidden, std::span<const std::int32_t> targets,
                     std::span<float> row_losses) const {
  if (output_mixture_ != nullptr) return output_mixture_->loss(tape, hidden, head(), targets, row_losses);
  const Output projected = output(tape, hidden);
  return ops::cross_entropy(tape, projected.hidden, projected.head, targets, row_losses);
}

Tensor Decoder::logits(const Tensor& hidden) const {
  if (output_mixture_ != nullptr) return output_mixture_->log_probabilities(hidden, head());
  Tape off;
  Tensor rows = hidden.detached();
  if (config_.logits_scaling != 1.0) rows = ops::scale(off, rows, static_cast<float>(1.0 / config_.logits_scaling));
  return ops::linear(off, rows, head(), head_bias_);
}

std::vector<Parameter> Decoder::parameters() const {
  std::vector<Parameter> result = {{"model.embed_tokens.weight", embedding_}};
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    append_prefixed(result, layer_prefix(layer), layers_[layer]->parameters());
  }
  final_norm_->append_parameters("model.norm", result);
  if (head_.defined()) result.push_back({"lm_head.weight", head_});
  append_vector(result, "lm_head.bias", head_bias_);
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
