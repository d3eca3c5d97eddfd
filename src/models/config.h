// What decides a decoder: every size and option, under Hugging Face's names where it has one.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "layers/moe_layer.h"
#include "layers/rope_scaling.h"

namespace witan {

struct DecoderConfig {
  std::int64_t vocab_size = 4096;
  std::int64_t hidden_size = 256;
  std::int64_t num_hidden_layers = 4;
  std::int64_t num_attention_heads = 8;
  std::int64_t num_key_value_heads = 4;
  std::int64_t head_dim = 0;              // 0: hidden_size / num_attention_heads
  std::int64_t intermediate_size = 1024;  // of the dense feed-forward layers
  bool mlp_bias = false;                  // the same
  std::string mlp_gated = "as_experts";   // the same: as_experts | gated | plain
  std::int64_t max_position_embeddings = 2048;
  double rope_theta = 10000.0;
  RopeScaling rope;
  double rms_norm_eps = 1e-5;
  std::string norm = "rms";      // rms | layer
  bool norm_bias = false;        // of a LayerNorm
  bool post_norm = false;        // norms stand behind attention and feed-forward part, not before them (OLMo 2)
  std::string qk_norm = "none";  // none | head (per head, as Qwen3) | full (over the whole projection, as OLMoE)
  double clip_qkv = 0.0;         // queries, keys and values are clamped to +- this, after QK-norm; 0: off
  bool attention_bias = false;   // of the projections to queries, keys and values
  bool attention_output_bias = false;
  bool attention_sinks = false;       // a learned score per head that joins the softmax and has no value (gpt-oss)
  double attention_multiplier = 0.0;  // of the scores; 0: 1 / sqrt(width of queries)
  std::int64_t sliding_window = 0;    // a token sees itself and the sliding_window - 1 tokens before it; 0: all of them
  std::string full_attention_layers;  // which of the layers have no such window: "1,3"
  // Multi-head latent attention (DeepSeek-V2) when kv_lora_rank > 0; head_dim and num_key_value_heads are then not
  // read.
  std::int64_t kv_lora_rank = 0;
  std::int64_t q_lora_rank = 0;  // 0: queries are projected directly
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t v_head_dim = 0;
  bool rope_interleave = true;  // RoPE turns neighbours together, in latent attention
  bool tie_word_embeddings = true;
  bool lm_head_bias = false;
  double embedding_multiplier = 1.0;
  double residual_multiplier = 1.0;        // of what attention and feed-forward part add
  double logits_scaling = 1.0;             // what the logits are divided by
  std::int64_t num_output_softmaxes = 1;   // above 1: the output is a mixture of that many softmaxes
  std::int64_t decoder_sparse_step = 1;    // a mixture in layers i with (i + 1) % step == 0, dense elsewhere
  std::int64_t first_k_dense_replace = 0;  // the first layers are dense all the same
  std::string mlp_only_layers;             // and so are these: "0,2"
  double initializer_range = 0.02;
  // Accepts a router whose choice for a token depends on later tokens of the sequence: such a model cannot generate as
  // it was trained.
  bool allow_noncausal = false;
  MoeOptions moe;
  // Of the tokenizer the model was trained with, -1: none; any of several may end a text. Written into the checkpoint;
  // not fields, since nobody chooses them.
  std::int64_t bos_token_id = -1;
  std::vector<std::int64_t> eos_token_ids;
  // As which the model was loaded, and is saved again while that still says what it computes; empty: a new model. Not a
  // field.
  std::string model_type;

  Fields fields();  // Hugging Face's names; refers into this object
  // Sets what follows from other fields, unless somebody chose it: num_experts_per_tok to what a router that accepts
  // only one number asks for. `chosen`: names of the fields that were set by a person or a file.
  void complete(const std::set<std::string>& chosen);
  // Throws Error with the values when sizes do not fit together.
  void validate() const;

  bool is_latent() const { return kv_lora_rank > 0; }
  // Width that queries, keys and values of a head have in attention.
  std::int64_t dim_per_head() const;
  std::int64_t key_heads() const { return is_latent() ? num_attention_heads : num_key_value_heads; }
  // Numbers that a layer's cache keeps of a position: keys and values of all key heads, or the latent and the part of
  // the key that RoPE turned.
  std::int64_t cached_per_position() const {
    return is_latent() ? kv_lora_rank + qk_rope_head_dim : 2 * key_heads() * dim_per_head();
  }
  // How many dimensions of a head RoPE turns.
  std::int64_t rotary_dim() const { return is_latent() ? qk_rope_head_dim : dim_per_head(); }
  // The longest sequence: max_position_embeddings, and rope_factor times that where RoPE stretches with the length.
  std::int64_t max_positions() const;
  // `moe`, with what routers know of the model.
  MoeOptions mixture_options() const;
  bool is_moe_layer(std::int64_t layer) const;
  // Whether dense feed-forward layers have three matrices.
  bool dense_is_gated() const { return mlp_gated == "as_experts" ? moe.gated : mlp_gated == "gated"; }
  std::int64_t num_moe_layers() const;
  std::int64_t window_of_layer(std::int64_t layer) const;
};

// Throws Error naming model.`name` unless minimum <= value <= maximum: the sizes of any kind of model.
void require_between(std::string_view name, std::int64_t value, std::int64_t minimum, std::int64_t maximum);

}  // namespace witan
