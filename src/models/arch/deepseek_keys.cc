// What DeepSeek's configs have in common.
#include "models/arch/deepseek_keys.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/number_list.h"
#include "models/arch/config_keys.h"

namespace witan {
namespace {

constexpr std::array kDeepseekExperts = {
    ConfigKey{"n_routed_experts", "num_experts"},
    ConfigKey{"num_experts_per_tok", "num_experts_per_tok"},
    ConfigKey{"moe_intermediate_size", "moe_intermediate_size"},
    ConfigKey{"n_shared_experts", "n_shared_experts"},
    ConfigKey{"first_k_dense_replace", "first_k_dense_replace"},
    ConfigKey{"intermediate_size", "intermediate_size", Presence::kRequired},
};

constexpr std::array kRequiredInMixtures = {"num_experts_per_tok", "moe_intermediate_size"};

constexpr std::array kLatent = {
    ConfigKey{"kv_lora_rank", "kv_lora_rank", Presence::kRequired},
    ConfigKey{"q_lora_rank", "q_lora_rank"},
    ConfigKey{"qk_nope_head_dim", "qk_nope_head_dim", Presence::kRequired},
    ConfigKey{"qk_rope_head_dim", "qk_rope_head_dim", Presence::kRequired},
    ConfigKey{"v_head_dim", "v_head_dim", Presence::kRequired},
    ConfigKey{"rope_interleave", "rope_interleave"},
};

}  // namespace

void read_deepseek_experts(const nlohmann::json& json, DecoderConfig& config) {
  read_keys(json, kDeepseekExperts, config);
  config.moe.router_aux_loss_coef = read_number(json, "aux_loss_alpha", 0.001);
  config.moe.router_z_loss_coef = 0.0;
  if (!given(json, expert_count_key(json, "n_routed_experts"))) {
    make_dense(config);
    return;
  }
  read_expert_count(json, "n_routed_experts", config);
  for (const char* key : kRequiredInMixtures) {
    if (!given(json, key)) fail("key '{}' is missing", key);
  }
  const std::int64_t frequency = read_integer(json, "moe_layer_freq", 1);
  if (frequency < 1) fail("key 'moe_layer_freq': {}, expected 1 or more", frequency);
  std::vector<std::int64_t> dense;
  for (std::int64_t layer = config.first_k_dense_replace; layer < config.num_hidden_layers; ++layer) {
    if (layer % frequency != 0) dense.push_back(layer);
  }
  config.mlp_only_layers = integers_text(dense);
}

void write_deepseek_experts(const DecoderConfig& config, nlohmann::json& json) {
  json.update(write_keys(config, kDeepseekExperts));
  if (config.moe.n_shared_experts == 0) json["n_shared_experts"] = nullptr;
  if (config.num_moe_layers() == 0) {
    json["n_routed_experts"] = nullptr;
    return;
  }
  // The first mixture, and the distance to the next one.
  std::int64_t first = 0;
  while (!config.is_moe_layer(first)) ++first;
  std::int64_t second = first + 1;
  while (second < config.num_hidden_layers && !config.is_moe_layer(second)) ++second;
  const std::int64_t frequency = second < config.num_hidden_layers ? second - first : std::max<std::int64_t>(first, 1);
  json["first_k_dense_replace"] = first;
  json["moe_layer_freq"] = config.num_moe_layers() == config.num_hidden_layers - first ? 1 : frequency;
}

void read_latent_attention(const nlohmann::json& json, DecoderConfig& config) {
  read_keys(json, kLatent, config);
  config.num_key_value_heads = config.num_attention_heads;
  read_attention_bias(json, config);
  const auto width = static_cast<double>(config.qk_nope_head_dim + config.qk_rope_head_dim);
  if (!(width > 0.0)) fail("key 'qk_rope_head_dim': a head of width 0");
  const double mscale = yarn_mscale(config.rope.rope_factor, config.rope.rope_mscale_all_dim);
  config.attention_multiplier = mscale * mscale / std::sqrt(width);
}

void write_latent_attention(const DecoderConfig& config, nlohmann::json& json) {
  json.update(write_keys(config, kLatent));
  if (config.q_lora_rank == 0) json["q_lora_rank"] = nullptr;
  json["attention_bias"] = config.attention_bias;
}

}  // namespace witan
