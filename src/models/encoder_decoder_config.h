// What decides an encoder-decoder: every size and option of the released ones. Filled by an architecture from its
// config.json; nobody sets it by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/activation.h"
#include "layers/norm.h"
#include "models/capacity_routing.h"

namespace witan {

// How the tensors of one stack are called: those of layer N are "<layers>N.<part>".
struct StackNames {
  std::string_view layers;                // "encoder.block."
  std::string_view self_attention;        // "layer.0.SelfAttention."
  std::string_view self_attention_norm;   // "layer.0.layer_norm"
  std::string_view cross_attention;       // of a decoder
  std::string_view cross_attention_norm;  // the same
  std::string_view feed_forward;          // "layer.1.mlp."
  std::string_view feed_forward_norm;
  std::string_view final_norm;      // "encoder.final_layer_norm"
  std::string_view relative_bias;   // of the whole stack; empty without one
  std::string_view embedding_copy;  // where a file may repeat the embedding
};

struct EncoderDecoderNames {
  StackNames encoder;
  StackNames decoder;
  std::string_view q, k, v, o;      // projections, below an attention
  std::string_view up, down;        // matrices of a feed-forward network
  std::string_view router;          // below "feed_forward"
  std::string_view experts;         // "experts.expert_", before the number of an expert
  std::string_view embedding;       // of encoder and decoder
  std::string_view head;            // the output projection; a file may repeat a tied one there
  std::string_view ignored_suffix;  // tensors that older writers saved and nothing reads; empty: none
};

// The layers of the encoder, or of the decoder.
struct StackConfig {
  std::int64_t num_heads = 1;
  std::int64_t head_dim = 1;
  std::int64_t intermediate_size = 1;
  std::vector<bool> sparse;  // per layer: a mixture, not one dense network

  std::int64_t num_layers() const { return static_cast<std::int64_t>(sparse.size()); }
};

struct EncoderDecoderConfig {
  std::string model_type;
  std::int64_t vocab_size = 1;
  std::int64_t hidden_size = 1;
  StackConfig encoder;
  StackConfig decoder;
  NormOptions norm;              // before every part, and at the end of each stack
  bool bias = false;             // of attention's projections and of the feed-forward networks
  float attention_scale = 1.0F;  // of the scores; 0: 1 / sqrt(head_dim)
  Activation activation = Activation::kRelu;
  // Relative positions by buckets (T5), or with 0 buckets sinusoidal ones added to the embedding.
  std::int64_t relative_attention_num_buckets = 0;
  std::int64_t relative_attention_max_distance = 128;
  float embedding_multiplier = 1.0F;
  float logits_multiplier = 1.0F;
  bool tie_word_embeddings = true;
  std::int64_t num_experts = 1;
  CapacityRouting routing;
  bool router_bias = false;
  float expert_output_multiplier = 1.0F;  // of what an expert says, beside its weight
  bool names_languages = false;           // texts carry a token for their language, by which a translation begins
  std::int64_t pad_token_id = 0;
  std::int64_t decoder_start_token_id = 0;  // what every output begins with
  std::vector<std::int64_t> eos_token_ids;

  bool has_relative_positions() const { return relative_attention_num_buckets > 0; }
  // Throws Error with the values when sizes are out of bounds or do not fit together.
  void validate() const;
};

}  // namespace witan
