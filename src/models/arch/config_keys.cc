// Reading and writing of released configs.
#include "models/arch/config_keys.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace {

bool given(const nlohmann::json& json, std::string_view key) {
  const auto found = json.find(key);
  return found != json.end() && !found->is_null();
}

}  // namespace

std::span<const ConfigKey> common_config_keys() {
  static constexpr std::array kKeys = {
      ConfigKey{"vocab_size", "vocab_size", Presence::kRequired},
      ConfigKey{"hidden_size", "hidden_size", Presence::kRequired},
      ConfigKey{"num_hidden_layers", "num_hidden_layers", Presence::kRequired},
      ConfigKey{"num_attention_heads", "num_attention_heads", Presence::kRequired},
      ConfigKey{"num_key_value_heads", "num_key_value_heads"},
      ConfigKey{"intermediate_size", "moe_intermediate_size", Presence::kRequired},
      ConfigKey{"num_experts_per_tok", "num_experts_per_tok", Presence::kRequired},
      ConfigKey{"max_position_embeddings", "max_position_embeddings"},
      ConfigKey{"rope_theta", "rope_theta"},
      ConfigKey{"rms_norm_eps", "rms_norm_eps"},
      ConfigKey{"hidden_act", "hidden_act"},
      ConfigKey{"tie_word_embeddings", "tie_word_embeddings"},
      ConfigKey{"initializer_range", "initializer_range"},
      ConfigKey{"router_aux_loss_coef", "router_aux_loss_coef"},
  };
  return kKeys;
}

void read_keys(const nlohmann::json& json, std::span<const ConfigKey> keys, DecoderConfig& config) {
  const Fields fields = config.fields();
  for (const ConfigKey& key : keys) {
    if (given(json, key.key)) {
      try {
        fields.find(key.field).set_json(json.at(std::string(key.key)));
      } catch (const Error& error) {  // names the field, which is not always the key
        fail("key '{}': {}", key.key, error.what());
      }
    } else if (key.presence == Presence::kRequired) {
      fail("key '{}' is missing", key.key);
    }
  }
}

nlohmann::json write_keys(const DecoderConfig& config, std::span<const ConfigKey> keys) {
  DecoderConfig copy = config;
  const Fields fields = copy.fields();
  nlohmann::json json;
  for (const ConfigKey& key : keys) json[std::string(key.key)] = fields.find(key.field).to_json();
  return json;
}

void read_rope(const nlohmann::json& json, DecoderConfig& config) {
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (!given(json, key)) continue;
    const nlohmann::json& rope = json.at(key);
    if (!rope.is_object()) fail("key '{}': expected an object, got {}", key, rope.dump());
    for (const char* type_key : {"rope_type", "type"}) {
      if (given(rope, type_key) && rope.at(type_key) != "default") {
        fail("key '{}': a RoPE of type {} is not supported for this model_type", key, rope.at(type_key).dump());
      }
    }
    constexpr std::array kTheta = {ConfigKey{"rope_theta", "rope_theta"}};
    read_keys(rope, kTheta, config);
  }
}

void refuse_flag(const nlohmann::json& json, std::string_view key, std::string_view model_type) {
  if (given(json, key) && json.at(std::string(key)) != false) {
    fail("key '{}': {} is not supported for model_type '{}'", key, json.at(std::string(key)).dump(), model_type);
  }
}

bool is_plain_mixture(const DecoderConfig& config) {
  const MoeOptions& moe = config.moe;
  // The capacity factor that the paper of top-k routing asks for is none.
  const bool dropless = moe.eval_capacity_factor == 0.0 || moe.eval_capacity_factor == RouterOptions::kRouterDefault;
  return moe.router == "top_k" && moe.gate == "linear" && dropless && moe.eval_capacity_fraction == 0.0 &&
         moe.expert_output_masking == 0.0 && moe.n_shared_experts == 0 && moe.gated && moe.hidden_act == "silu" &&
         config.decoder_sparse_step == 1 && config.num_output_softmaxes == 1;
}

}  // namespace witan
