// Two stacks of blocks between embedding and output projection.
#include "models/encoder_decoder.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/embedding.h"
#include "autograd/ops/linear.h"
#include "base/error.h"
#include "layers/relative_positions.h"
#include "layers/sinusoidal_positions.h"
#include "models/named_tensors.h"

namespace witan {
namespace {

// Neither kind of positions has an end; the cache wants one.
constexpr std::int64_t kLongestOutput = 1 << 24;

}  // namespace

EncoderDecoder::EncoderDecoder(const EncoderDecoderConfig& config, const EncoderDecoderNames& names,
                               NamedTensors& tensors)
    : config_(config) {
  config_.validate();
  const Shape shape = {config_.vocab_size, config_.hidden_size};
  embedding_ = tensors.read(std::string(names.embedding), shape);
  head_ = config_.tie_word_embeddings ? embedding_ : tensors.read(std::string(names.head), shape);
  encoder_ = read_stack(EncoderDecoderBlock::Side::kEncoder, names, tensors);
  decoder_ = read_stack(EncoderDecoderBlock::Side::kDecoder, names, tensors);
}

EncoderDecoder::~EncoderDecoder() = default;

EncoderDecoder::Stack EncoderDecoder::read_stack(EncoderDecoderBlock::Side side, const EncoderDecoderNames& names,
                                                 NamedTensors& tensors) const {
  const bool encoder = side == EncoderDecoderBlock::Side::kEncoder;
  const StackNames& stack_names = encoder ? names.encoder : names.decoder;
  const StackConfig& stack_config = encoder ? config_.encoder : config_.decoder;
  Stack stack;
  for (std::int64_t layer = 0; layer < stack_config.num_layers(); ++layer) {
    stack.layers.push_back(std::make_unique<EncoderDecoderBlock>(config_, side, layer, names, tensors));
  }
  stack.final_norm = std::make_unique<Norm>(read_norm(config_, std::string(stack_names.final_norm), tensors));
  if (config_.has_relative_positions()) {
    stack.relative_bias = tensors.read(std::string(stack_names.relative_bias),
                                       {config_.relative_attention_num_buckets, stack_config.num_heads});
  }
  return stack;
}

Tensor EncoderDecoder::embed(std::span<const std::int32_t> ids, std::int64_t past) const {
  if (ids.empty()) fail("encoder_decoder: no token ids, expected at least one");
  Tape off;
  Tensor rows = ops::embedding(off, embedding_, ids);
  if (config_.embedding_multiplier != 1.0F) rows = ops::scale(off, rows, config_.embedding_multiplier);
  if (config_.has_relative_positions()) return rows;
  const auto padding = static_cast<std::int32_t>(config_.pad_token_id);
  const PooledVector<std::int32_t> positions = padded_positions(ids, padding, past);
  return ops::add(off, rows, sinusoidal_positions(positions, config_.hidden_size, padding));
}

Tensor EncoderDecoder::bias(const Stack& stack, bool bidirectional, std::int64_t past, std::int64_t queries) const {
  if (!config_.has_relative_positions()) return {};
  const RelativeBuckets buckets{config_.relative_attention_num_buckets, config_.relative_attention_max_distance,
                                bidirectional};
  return relative_bias(buckets, stack.relative_bias, past, queries, past + queries);
}

Tensor EncoderDecoder::encode(std::span<const std::int32_t> ids, const EncoderDecoderObserver& observer) const {
  Tensor rows = embed(ids, 0);
  const Tensor added = bias(encoder_, true, 0, rows.rows());
  if (observer.tensors) observer.tensors("encoder.embedding", rows);
  for (const auto& layer : encoder_.layers) rows = layer->encode(rows, added, observer);
  Tape off;
  Tensor encoded = encoder_.final_norm->forward(off, rows);
  if (observer.tensors) observer.tensors("encoder.final_norm", encoded);
  return encoded;
}

Translation EncoderDecoder::start(const Tensor& encoded) const {
  const StackConfig& stack = config_.decoder;
  Translation translation{{}, KvCache(stack.num_layers(), stack.num_heads * stack.head_dim, kLongestOutput)};
  for (const auto& layer : decoder_.layers) translation.source.push_back(layer->remember(encoded));
  return translation;
}

Tensor EncoderDecoder::decode(std::span<const std::int32_t> ids, Translation& translation,
                              const EncoderDecoderObserver& observer) const {
  WITAN_ASSERT(translation.source.size() == decoder_.layers.size());
  KvCache& cache = translation.cache;
  Tensor rows = embed(ids, cache.length());
  cache.require_room(rows.rows());
  if (observer.tensors) observer.tensors("decoder.embedding", rows);
  const Tensor added = bias(decoder_, false, cache.length(), rows.rows());
  for (std::size_t i = 0; i < decoder_.layers.size(); ++i) {
    rows = decoder_.layers[i]->decode(rows, added, cache, translation.source[i], observer);
  }
  cache.advance(ids);
  Tape off;
  Tensor decoded = decoder_.final_norm->forward(off, rows);
  if (observer.tensors) observer.tensors("decoder.final_norm", decoded);
  return decoded;
}

std::vector<EncoderDecoder::Mixture> EncoderDecoder::mixtures() const {
  std::vector<Mixture> all;
  for (const Stack* stack : {&encoder_, &decoder_}) {
    for (std::size_t i = 0; i < stack->layers.size(); ++i) {
      if (!stack->layers[i]->router().defined()) continue;
      all.push_back({stack == &encoder_, static_cast<std::int64_t>(i), *stack->layers[i]});
    }
  }
  return all;
}

Tensor EncoderDecoder::logits(const Tensor& decoded) const {
  Tape off;
  const float factor = config_.logits_multiplier;
  return ops::linear(off, factor == 1.0F ? decoded : ops::scale(off, decoded, factor), head_);
}

}  // namespace witan
