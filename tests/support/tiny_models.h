// Decoders small enough for tests, in the shapes that matter.
#pragma once

#include <string>
#include <vector>

#include "models/decoder.h"

namespace witan::test {

struct NamedConfig {
  std::string name;
  std::string model_type;  // as which it is saved
  DecoderConfig config;
};

// Weights large enough that experts and attention matter.
inline DecoderConfig tiny_config() {
  DecoderConfig config;
  config.vocab_size = 40;
  config.hidden_size = 16;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.intermediate_size = 24;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.3;
  config.moe.num_experts = 5;
  config.moe.num_experts_per_tok = 2;
  config.moe.moe_intermediate_size = 12;
  config.bos_token_id = 1;
  config.eos_token_ids = {2};
  return config;
}

inline std::vector<NamedConfig> tiny_configs() {
  DecoderConfig mixtral = tiny_config();
  mixtral.head_dim = 6;
  mixtral.rope_theta = 1e6;
  mixtral.tie_word_embeddings = false;

  DecoderConfig olmoe = tiny_config();
  olmoe.qk_norm = "full";
  olmoe.clip_qkv = 0.9;
  olmoe.moe.weighting = "softmax_then_topk";

  DecoderConfig olmoe_normalized = olmoe;
  olmoe_normalized.clip_qkv = 0.0;
  olmoe_normalized.moe.weighting = "topk_then_softmax";

  DecoderConfig own = tiny_config();
  own.qk_norm = "head";
  own.decoder_sparse_step = 2;
  own.moe.n_shared_experts = 2;
  own.moe.hidden_act = "gelu";

  DecoderConfig plain = tiny_config();
  plain.moe.gated = false;
  plain.moe.hidden_act = "relu";
  plain.moe.router = "switch";
  plain.moe.weighting = "softmax_then_topk";
  plain.moe.num_experts_per_tok = 1;
  plain.moe.eval_capacity_factor = 0.0;

  DecoderConfig loss_free = tiny_config();
  loss_free.moe.router = "loss_free";
  loss_free.moe.weighting = "sigmoid_topk_norm";
  loss_free.moe.num_experts = 6;
  loss_free.moe.fields().find("n_group").set("3");
  loss_free.moe.n_shared_experts = 1;
  loss_free.moe.cmr_gate = true;
  loss_free.moe.expert_output_masking = 0.2;

  DecoderConfig peer = tiny_config();
  peer.moe.router = "peer";
  peer.moe.num_experts = 64;
  peer.moe.num_experts_per_tok = 16;
  peer.moe.moe_intermediate_size = 1;
  peer.moe.gated = false;
  peer.moe.hidden_act = "gelu";

  DecoderConfig softmaxes = tiny_config();
  softmaxes.num_output_softmaxes = 3;

  DecoderConfig dense = tiny_config();
  dense.decoder_sparse_step = 4;  // more than layers

  return {{"mixtral", "mixtral", mixtral},
          {"olmoe", "olmoe", olmoe},
          {"olmoe_normalized", "olmoe", olmoe_normalized},
          {"sparse_step_and_shared", "witan", own},
          {"switch_plain", "witan", plain},
          {"loss_free_and_cmr_gate", "witan", loss_free},
          {"peer", "witan", peer},
          {"mixture_of_softmaxes", "witan", softmaxes},
          {"dense", "witan", dense}};
}

}  // namespace witan::test
