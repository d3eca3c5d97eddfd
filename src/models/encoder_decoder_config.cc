// What must hold between the sizes of an encoder-decoder.
#include "models/encoder_decoder_config.h"

#include <fmt/core.h>

#include "layers/relative_positions.h"
#include "models/config.h"

namespace witan {
namespace {

constexpr std::int64_t kMostPerSize = 1 << 20;
constexpr std::int64_t kMostTokens = 1 << 24;

void validate_stack(const char* stack, const StackConfig& config) {
  require_between(fmt::format("{}: number of layers", stack), config.num_layers(), 1, kMostPerSize);
  require_between(fmt::format("{}: number of heads", stack), config.num_heads, 1, kMostPerSize);
  require_between(fmt::format("{}: width of a head", stack), config.head_dim, 1, kMostPerSize);
  require_between(fmt::format("{}: width of the feed-forward layers", stack), config.intermediate_size, 1,
                  kMostPerSize);
}

}  // namespace

void EncoderDecoderConfig::validate() const {
  require_between("vocab_size", vocab_size, 1, kMostTokens);
  require_between("d_model", hidden_size, 1, kMostPerSize);
  require_between("num_experts", num_experts, routing.choices, kMostPerSize);
  require_between("pad_token_id", pad_token_id, 0, vocab_size - 1);
  require_between("decoder_start_token_id", decoder_start_token_id, 0, vocab_size - 1);
  validate_stack("encoder", encoder);
  validate_stack("decoder", decoder);
  if (!has_relative_positions()) {
    require_between("d_model", hidden_size, 4, kMostPerSize);  // two frequencies at least
    return;
  }
  for (const bool bidirectional : {true, false}) {
    RelativeBuckets{relative_attention_num_buckets, relative_attention_max_distance, bidirectional}.validate();
  }
}

}  // namespace witan
