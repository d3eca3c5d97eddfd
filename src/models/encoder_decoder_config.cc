// What must hold between the sizes of an encoder-decoder.
#include "models/encoder_decoder_config.h"

#include "base/error.h"
#include "layers/relative_positions.h"

namespace witan {
namespace {

constexpr std::int64_t kMostPerSize = 1 << 20;
constexpr std::int64_t kMostTokens = 1 << 24;

void require_size(std::string_view name, std::int64_t value, std::int64_t minimum, std::int64_t maximum) {
  if (value < minimum || value > maximum) fail("model.{}: {} is not between {} and {}", name, value, minimum, maximum);
}

void validate_stack(const char* stack, const StackConfig& config) {
  require_size(fmt::format("{}: number of layers", stack), config.num_layers(), 1, kMostPerSize);
  require_size(fmt::format("{}: number of heads", stack), config.num_heads, 1, kMostPerSize);
  require_size(fmt::format("{}: width of a head", stack), config.head_dim, 1, kMostPerSize);
  require_size(fmt::format("{}: width of the feed-forward layers", stack), config.intermediate_size, 1, kMostPerSize);
}

}  // namespace

void EncoderDecoderConfig::validate() const {
  require_size("vocab_size", vocab_size, 1, kMostTokens);
  require_size("d_model", hidden_size, 1, kMostPerSize);
  require_size("num_experts", num_experts, routing.choices, kMostPerSize);
  require_size("pad_token_id", pad_token_id, 0, vocab_size - 1);
  require_size("decoder_start_token_id", decoder_start_token_id, 0, vocab_size - 1);
  validate_stack("encoder", encoder);
  validate_stack("decoder", decoder);
  if (!has_relative_positions()) {
    require_size("d_model", hidden_size, 4, kMostPerSize);  // two frequencies at least
    return;
  }
  for (const bool bidirectional : {true, false}) {
    RelativeBuckets{relative_attention_num_buckets, relative_attention_max_distance, bidirectional}.validate();
  }
}

}  // namespace witan
