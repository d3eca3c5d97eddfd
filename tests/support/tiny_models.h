// Decoders small enough for tests, in the shapes that matter.
#pragma once

#include <cmath>
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

  DecoderConfig glam = tiny_config();
  glam.decoder_sparse_step = 2;
  glam.mlp_gated = "gated";
  glam.moe.gated = false;
  glam.moe.hidden_act = "gelu";

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

  DecoderConfig qwen2_moe = tiny_config();
  qwen2_moe.attention_bias = true;
  qwen2_moe.mlp_only_layers = "1";
  qwen2_moe.moe.shared_expert_intermediate_size = 10;
  qwen2_moe.moe.shared_expert_gate = true;
  qwen2_moe.moe.weighting = "softmax_then_topk";

  DecoderConfig qwen3_moe = tiny_config();
  qwen3_moe.qk_norm = "head";
  qwen3_moe.head_dim = 6;
  qwen3_moe.attention_bias = qwen3_moe.attention_output_bias = true;
  qwen3_moe.sliding_window = 5;

  DecoderConfig deepseek_v3 = tiny_config();
  deepseek_v3.kv_lora_rank = 6;
  deepseek_v3.q_lora_rank = 5;
  deepseek_v3.qk_nope_head_dim = 3;
  deepseek_v3.qk_rope_head_dim = 4;
  deepseek_v3.v_head_dim = 5;
  deepseek_v3.attention_multiplier = 1.0 / std::sqrt(7.0);
  deepseek_v3.first_k_dense_replace = 1;
  deepseek_v3.moe.router = "loss_free";
  deepseek_v3.moe.weighting = "sigmoid_scaled";
  deepseek_v3.moe.routed_scaling_factor = 1.5;
  deepseek_v3.moe.num_experts = 6;
  deepseek_v3.moe.fields().find("n_group").set("3");
  deepseek_v3.moe.fields().find("topk_group").set("2");
  deepseek_v3.moe.fields().find("group_score").set("sum_of_two");
  deepseek_v3.moe.n_shared_experts = 1;

  DecoderConfig deepseek_v2 = tiny_config();
  deepseek_v2.kv_lora_rank = 6;
  deepseek_v2.qk_nope_head_dim = 2;
  deepseek_v2.qk_rope_head_dim = 2;
  deepseek_v2.v_head_dim = 7;
  deepseek_v2.attention_multiplier = 0.5;
  deepseek_v2.mlp_only_layers = "1";
  deepseek_v2.moe.router = "group_limited";
  deepseek_v2.moe.num_experts = 6;
  deepseek_v2.moe.fields().find("n_group").set("2");
  deepseek_v2.moe.weighting = "scaled";
  deepseek_v2.moe.routed_scaling_factor = 1.5;

  DecoderConfig dbrx = tiny_config();
  dbrx.norm = "layer";
  dbrx.clip_qkv = 0.8;
  dbrx.tie_word_embeddings = false;
  dbrx.moe.weighting = "softmax_topk_norm";
  dbrx.moe.fields().find("topk_norm_order").set("2");

  DecoderConfig gpt_oss = tiny_config();
  gpt_oss.attention_bias = gpt_oss.attention_output_bias = gpt_oss.attention_sinks = true;
  gpt_oss.sliding_window = 4;
  gpt_oss.full_attention_layers = "1";
  gpt_oss.rope.rope_type = "yarn";
  gpt_oss.rope.rope_factor = 4.0;
  gpt_oss.rope.original_max_position_embeddings = 16;
  gpt_oss.rope.rope_truncate = false;
  gpt_oss.moe.expert_bias = true;
  gpt_oss.moe.swiglu_limit = 1.5;
  gpt_oss.moe.fields().find("router_bias").set("true");

  DecoderConfig phimoe = tiny_config();
  phimoe.norm = "layer";
  phimoe.norm_bias = phimoe.attention_bias = phimoe.attention_output_bias = phimoe.lm_head_bias = true;
  phimoe.rope.rope_type = "longrope";
  phimoe.rope.original_max_position_embeddings = 64;  // no length of the tests changes the angles
  phimoe.rope.rope_short_factor = "1,1.5";
  phimoe.rope.rope_long_factor = "2,3";
  phimoe.rope.rope_short_mscale = 1.1;
  phimoe.rope.rope_long_mscale = 1.2;
  phimoe.moe.router = "sparsemixer";
  phimoe.moe.fields().find("sparsemixer_epsilon").set("0.4");

  DecoderConfig granitemoe = tiny_config();
  granitemoe.embedding_multiplier = 3.0;
  granitemoe.attention_multiplier = 0.3;
  granitemoe.residual_multiplier = 0.5;
  granitemoe.logits_scaling = 2.0;

  DecoderConfig llama = dense;
  llama.mlp_bias = true;
  llama.rope.rope_type = "llama3";
  llama.rope.rope_factor = 4.0;
  llama.rope.original_max_position_embeddings = 16;

  DecoderConfig mistral = dense;
  mistral.sliding_window = 3;

  DecoderConfig qwen2 = dense;
  qwen2.attention_bias = true;
  qwen2.sliding_window = 3;
  qwen2.full_attention_layers = "0";

  DecoderConfig qwen3 = dense;
  qwen3.qk_norm = "head";

  DecoderConfig olmo2 = dense;
  olmo2.post_norm = true;
  olmo2.qk_norm = "full";

  DecoderConfig deepseek = tiny_config();
  deepseek.moe.weighting = "softmax_then_topk";
  deepseek.moe.n_shared_experts = 2;
  deepseek.first_k_dense_replace = 1;
  deepseek.rope.rope_type = "linear";
  deepseek.rope.rope_factor = 2.0;

  return {{"mixtral", "mixtral", mixtral},
          {"olmoe", "olmoe", olmoe},
          {"olmoe_normalized", "olmoe", olmoe_normalized},
          {"sparse_step_and_shared", "witan", own},
          {"gated_beside_plain_experts", "witan", glam},
          {"switch_plain", "witan", plain},
          {"loss_free_and_cmr_gate", "witan", loss_free},
          {"peer", "witan", peer},
          {"mixture_of_softmaxes", "witan", softmaxes},
          {"dense", "llama", dense},
          {"qwen2_moe", "qwen2_moe", qwen2_moe},
          {"qwen3_moe", "qwen3_moe", qwen3_moe},
          {"deepseek", "deepseek", deepseek},
          {"deepseek_v2", "deepseek_v2", deepseek_v2},
          {"deepseek_v3", "deepseek_v3", deepseek_v3},
          {"dbrx", "dbrx", dbrx},
          {"gpt_oss", "gpt_oss", gpt_oss},
          {"phimoe", "phimoe", phimoe},
          {"granitemoe", "granitemoe", granitemoe},
          {"llama", "llama", llama},
          {"mistral", "mistral", mistral},
          {"qwen2", "qwen2", qwen2},
          {"qwen3", "qwen3", qwen3},
          {"olmo2", "olmo2", olmo2}};
}

}  // namespace witan::test
