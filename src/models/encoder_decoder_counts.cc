// Products of sizes, in double: those that a config allows exceed 64 bits.
#include "models/encoder_decoder_counts.h"

#include "base/error.h"

namespace witan {
namespace {

struct StackCounts {
  double total;
  double active;
  double of_source;  // projections that turn the source into keys and values, once and not for each token
};

StackCounts count_stack(const EncoderDecoderConfig& config, const StackConfig& stack, double attentions) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(stack.intermediate_size);
  const auto width = static_cast<double>(stack.num_heads * stack.head_dim);
  const auto experts = static_cast<double>(config.num_experts);
  const double norm = hidden * (config.norm.bias ? 2.0 : 1.0);
  const double attention = 4.0 * hidden * width + norm + (config.bias ? 3.0 * width + hidden : 0.0);
  const double expert = 2.0 * hidden * inner + (config.bias ? inner + hidden : 0.0);
  const double router = experts * (hidden + (config.router_bias ? 1.0 : 0.0));
  const double outside = norm + static_cast<double>(config.relative_attention_num_buckets * stack.num_heads);
  StackCounts counts{outside, outside, 0.0};
  for (const bool sparse : stack.sparse) {
    const double around = attentions * attention + norm + (sparse ? router : 0.0);
    counts.total += around + (sparse ? experts : 1.0) * expert;
    counts.active += around + (sparse ? static_cast<double>(config.routing.choices) : 1.0) * expert;
    counts.of_source += (attentions - 1.0) * 2.0 * width * (hidden + (config.bias ? 1.0 : 0.0));
  }
  return counts;
}

}  // namespace

EncoderDecoderCounts count_parameters(const EncoderDecoderConfig& config) {
  config.validate();
  const StackCounts encoder = count_stack(config, config.encoder, 1.0);
  const StackCounts decoder = count_stack(config, config.decoder, 2.0);
  const double table = static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  const double tables = table * (config.tie_word_embeddings ? 1.0 : 2.0);
  const double all = tables + encoder.total + decoder.total;
  constexpr double kMost = 4.6e18;
  if (all > kMost) fail("model: {:.3g} parameters are more than can be counted", all);
  return {{static_cast<std::int64_t>(all), static_cast<std::int64_t>(tables + encoder.active + decoder.active)},
          static_cast<std::int64_t>(table + decoder.active - decoder.of_source)};
}

}  // namespace witan
