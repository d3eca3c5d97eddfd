// DBRX (Databricks 2024): LayerNorm without bias, queries, keys and values in one clamped projection, weights divided
// by a norm of the reader's choice, experts in one tensor.
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"

namespace witan::dbrx {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"vocab_size", "vocab_size", Presence::kRequired},
    ConfigKey{"d_model", "hidden_size", Presence::kRequired},
    ConfigKey{"n_layers", "num_hidden_layers", Presence::kRequired},
    ConfigKey{"n_heads", "num_attention_heads", Presence::kRequired},
    ConfigKey{"max_seq_len", "max_position_embeddings"},
    ConfigKey{"tie_word_embeddings", "tie_word_embeddings"},
    ConfigKey{"initializer_range", "initializer_range"},
    ConfigKey{"router_aux_loss_coef", "router_aux_loss_coef"},
};
constexpr std::array kAttention = {
    ConfigKey{"kv_n_heads", "num_key_value_heads"},
    ConfigKey{"rope_theta", "rope_theta"},
    ConfigKey{"clip_qkv", "clip_qkv"},
};
constexpr std::array kExperts = {
    ConfigKey{"ffn_hidden_size", "moe_intermediate_size"},
    ConfigKey{"moe_num_experts", "num_experts"},
    ConfigKey{"moe_top_k", "num_experts_per_tok"},
    ConfigKey{"moe_jitter_eps", "router_jitter_noise"},
};
constexpr const char* kNorm = "moe_normalize_expert_weights";

constexpr std::array kTensors = {
    TensorRule{"model.embed_tokens.weight", "transformer.wte.weight"},
    TensorRule{"model.norm.weight", "transformer.norm_f.weight"},
    TensorRule{"input_layernorm.weight", "norm_attn_norm.norm_1.weight"},
    TensorRule{"post_attention_layernorm.weight", "norm_attn_norm.norm_2.weight"},
    TensorRule{"self_attn.q_proj.weight", "norm_attn_norm.attn.Wqkv.weight", Join::kStacked},
    TensorRule{"self_attn.k_proj.weight", "norm_attn_norm.attn.Wqkv.weight", Join::kStacked},
    TensorRule{"self_attn.v_proj.weight", "norm_attn_norm.attn.Wqkv.weight", Join::kStacked},
    TensorRule{"self_attn.o_proj.weight", "norm_attn_norm.attn.out_proj.weight"},
    TensorRule{"mlp.gate.weight", "ffn.router.layer.weight"},
    TensorRule{"mlp.experts.gate_proj", "ffn.experts.mlp.w1", Join::kNone, false, true},
    TensorRule{"mlp.experts.up_proj", "ffn.experts.mlp.v1", Join::kNone, false, true},
    TensorRule{"mlp.experts.down_proj", "ffn.experts.mlp.w2", Join::kNone, true, true},
};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_keys(config, kKeys);
  json["attn_config"] = write_keys(config, kAttention);
  if (config.clip_qkv == 0.0) json["attn_config"]["clip_qkv"] = nullptr;
  nlohmann::json& experts = json["ffn_config"] = write_keys(config, kExperts);
  experts["ffn_act_fn"] = {{"name", config.moe.hidden_act}};
  experts[kNorm] =
      is_normalized(config) ? nlohmann::json(config.moe.router_extra.real("topk_norm_order")) : nlohmann::json();
  return json;
}

// An object of the config under `key`; an absent one is empty.
nlohmann::json part(const nlohmann::json& json, const char* key) {
  if (!given(json, key)) return nlohmann::json::object();
  if (!json.at(key).is_object()) fail("key '{}': expected an object, got {}", key, json.at(key).dump());
  return json.at(key);
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.norm = "layer";
  config.rms_norm_eps = 1e-5;
  config.num_key_value_heads = 1;  // what Hugging Face takes when a key is absent, here and below
  config.tie_word_embeddings = false;
  config.moe.num_experts = 4;
  config.moe.num_experts_per_tok = 1;
  config.moe.moe_intermediate_size = 3584;
  config.moe.router_z_loss_coef = 0.0;
  config.moe.allow_constant_weight = true;
  read_keys(json, kKeys, config);
  const nlohmann::json attention = part(json, "attn_config");
  read_keys(attention, kAttention, config);
  const nlohmann::json experts = part(json, "ffn_config");
  read_keys(experts, kExperts, config);
  const nlohmann::json activation = experts.value("ffn_act_fn", nlohmann::json());
  if (activation.is_object()) {
    read_activation(activation, "name", config);
  } else {
    read_activation(experts, "ffn_act_fn", config);
  }
  const bool off = experts.contains(kNorm) && experts.at(kNorm).is_null();
  config.moe.weighting = off ? "softmax_then_topk" : "softmax_topk_norm";
  constexpr std::array kOrder = {ConfigKey{kNorm, "topk_norm_order"}};
  read_keys(experts, kOrder, config);
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {.model_type = "dbrx",
                                           .class_name = "DbrxForCausalLM",
                                           .summary = "DBRX",
                                           .write_config = write_config,
                                           .read_config = read_config,
                                           .tensors = kTensors,
                                           .layers = "transformer.blocks."};

}  // namespace witan::dbrx
