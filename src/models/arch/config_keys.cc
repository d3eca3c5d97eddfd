// Reading and writing of released configs.
#include "models/arch/config_keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/number_list.h"
#include "base/suggest.h"
#include "models/arch/rope_keys.h"

namespace witan {
namespace {

constexpr std::array kDecoderKeys = {
    ConfigKey{"vocab_size", "vocab_size", Presence::kRequired},
    ConfigKey{"hidden_size", "hidden_size", Presence::kRequired},
    ConfigKey{"num_hidden_layers", "num_hidden_layers", Presence::kRequired},
    ConfigKey{"num_attention_heads", "num_attention_heads", Presence::kRequired},
    ConfigKey{"max_position_embeddings", "max_position_embeddings"},
    ConfigKey{"rms_norm_eps", "rms_norm_eps"},
    ConfigKey{"tie_word_embeddings", "tie_word_embeddings"},
    ConfigKey{"initializer_range", "initializer_range"},
    ConfigKey{"router_aux_loss_coef", "router_aux_loss_coef"},
};
constexpr std::array kKeyHeads = {ConfigKey{"num_key_value_heads", "num_key_value_heads"}};

struct ActivationName {
  std::string_view released;
  std::string_view ours;
};
constexpr std::array kActivations = {
    ActivationName{"silu", "silu"},
    ActivationName{"swish", "silu"},
    ActivationName{"gelu", "gelu"},
    ActivationName{"gelu_python", "gelu"},
    ActivationName{"gelu_new", "gelu_pytorch_tanh"},
    ActivationName{"gelu_fast", "gelu_pytorch_tanh"},
    ActivationName{"gelu_pytorch_tanh", "gelu_pytorch_tanh"},
    ActivationName{"gelu_accurate", "gelu_pytorch_tanh"},
    ActivationName{"relu", "relu"},
    ActivationName{"quick_gelu", "quick_gelu"},
    ActivationName{"relu2", "relu2"},
    ActivationName{"tanh", "tanh"},
};

const nlohmann::json& value_of(const nlohmann::json& json, std::string_view key) { return json.at(std::string(key)); }

// By "layer_types", which layers have a window; empty when it is not given.
std::vector<bool> windows_of_layer_types(const nlohmann::json& json, std::int64_t layers) {
  std::vector<bool> windows;
  if (!given(json, "layer_types")) return windows;
  const nlohmann::json& types = json.at("layer_types");
  if (!types.is_array() || static_cast<std::int64_t>(types.size()) != layers) {
    fail("key 'layer_types': expected a list of {}, one per layer, got {}", layers, types.dump());
  }
  for (const nlohmann::json& type : types) {
    if (type != "full_attention" && type != "sliding_attention") {
      fail("key 'layer_types': {} is not supported (known: full_attention, sliding_attention)", type.dump());
    }
    windows.push_back(type == "sliding_attention");
  }
  return windows;
}

}  // namespace

bool given(const nlohmann::json& json, std::string_view key) {
  const auto found = json.find(key);
  return found != json.end() && !found->is_null();
}

void read_keys(const nlohmann::json& json, std::span<const ConfigKey> keys, DecoderConfig& config) {
  const Fields fields = config.fields();
  for (const ConfigKey& key : keys) {
    if (given(json, key.key)) {
      try {
        fields.find(key.field).set_json(value_of(json, key.key));
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

std::string_view expert_count_key(const nlohmann::json& json, std::string_view own) {
  for (const std::string_view key : {own, std::string_view("num_local_experts"), std::string_view("num_experts")}) {
    if (given(json, key)) return key;
  }
  return own;
}

void read_expert_count(const nlohmann::json& json, std::string_view own, DecoderConfig& config) {
  const std::array key = {ConfigKey{expert_count_key(json, own), "num_experts", Presence::kRequired}};
  read_keys(json, key, config);
}

void read_decoder_keys(const nlohmann::json& json, DecoderConfig& config) {
  const std::int64_t fallback = config.num_key_value_heads;
  config.num_key_value_heads = 1;  // a field is never 0
  read_keys(json, kDecoderKeys, config);
  if (given(json, "num_key_value_heads")) {
    read_keys(json, kKeyHeads, config);
  } else {
    const bool is_null = json.contains("num_key_value_heads");
    config.num_key_value_heads = is_null || fallback == 0 ? config.num_attention_heads : fallback;
  }
  read_activation(json, "hidden_act", config);
  read_rope(json, config);
  config.moe.allow_constant_weight = true;
}

nlohmann::json write_decoder_keys(const DecoderConfig& config) {
  nlohmann::json json = write_keys(config, kDecoderKeys);
  json["num_key_value_heads"] = config.key_heads();
  json["hidden_act"] = config.moe.hidden_act;
  if (config.num_moe_layers() == 0) json.erase("router_aux_loss_coef");
  write_rope(config, json);
  return json;
}

std::string read_activation_name(const nlohmann::json& json, std::string_view key, std::string_view fallback) {
  if (!given(json, key)) return std::string(fallback);
  const std::string name = read_text(json, key, "");
  std::vector<std::string> known;
  for (const ActivationName& candidate : kActivations) {
    if (candidate.released == name) return std::string(candidate.ours);
    known.emplace_back(candidate.released);
  }
  fail("key '{}': hidden_act '{}' is not supported (known: {})", key, name, comma_list(known));
}

void read_activation(const nlohmann::json& json, std::string_view key, DecoderConfig& config) {
  config.moe.hidden_act = read_activation_name(json, key, config.moe.hidden_act);
}

bool read_flag(const nlohmann::json& json, std::string_view key, bool fallback) {
  if (!given(json, key)) return fallback;
  const nlohmann::json& value = value_of(json, key);
  if (!value.is_boolean()) fail("key '{}': expected true or false, got {}", key, value.dump());
  return value.get<bool>();
}

std::int64_t read_integer(const nlohmann::json& json, std::string_view key, std::int64_t fallback) {
  if (!given(json, key)) return fallback;
  const double value = read_number(json, key, 0.0);
  constexpr double kMost = 9e15;
  if (!(value >= 0.0 && value <= kMost) || value != static_cast<double>(static_cast<std::int64_t>(value))) {
    fail("key '{}': expected a whole number of 0 or more, got {}", key, value_of(json, key).dump());
  }
  return static_cast<std::int64_t>(value);
}

double read_number(const nlohmann::json& json, std::string_view key, double fallback) {
  if (!given(json, key)) return fallback;
  const nlohmann::json& value = value_of(json, key);
  if (!value.is_number()) fail("key '{}': expected a number, got {}", key, value.dump());
  return value.get<double>();
}

std::string read_text(const nlohmann::json& json, std::string_view key, std::string_view fallback) {
  if (!given(json, key)) return std::string(fallback);
  const nlohmann::json& value = value_of(json, key);
  if (!value.is_string()) fail("key '{}': expected a string, got {}", key, value.dump());
  return value.get<std::string>();
}

void require_value(const nlohmann::json& json, std::string_view key, const nlohmann::json& supported) {
  if (given(json, key) && value_of(json, key) != supported) {
    fail("key '{}': {} is not supported for this model_type, expected {}", key, value_of(json, key).dump(),
         supported.dump());
  }
}

void read_attention_bias(const nlohmann::json& json, DecoderConfig& config) {
  config.attention_bias = read_flag(json, "attention_bias", false);
  config.attention_output_bias = config.attention_bias;
}

void read_window(const nlohmann::json& json, std::int64_t fallback, DecoderConfig& config) {
  const bool absent = !json.contains("sliding_window");
  config.sliding_window = absent ? fallback : read_integer(json, "sliding_window", 0);
}

void read_layer_types(const nlohmann::json& json, bool (*is_full)(std::int64_t layer, std::int64_t first_with_window),
                      std::int64_t first_with_window, DecoderConfig& config) {
  config.full_attention_layers.clear();
  if (config.sliding_window == 0) return;
  const std::vector<bool> windows = windows_of_layer_types(json, config.num_hidden_layers);
  std::vector<std::int64_t> full;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const bool by_rule = is_full == nullptr || !is_full(layer, first_with_window);
    const bool windowed = windows.empty() ? by_rule : windows[static_cast<std::size_t>(layer)];
    if (!windowed) full.push_back(layer);
  }
  config.full_attention_layers = integers_text(full);
}

void check_layer_types(const nlohmann::json& json, const DecoderConfig& config) {
  const std::vector<bool> windows = windows_of_layer_types(json, config.num_hidden_layers);
  for (std::size_t layer = 0; layer < windows.size(); ++layer) {
    const std::int64_t window = config.window_of_layer(static_cast<std::int64_t>(layer));
    if (windows[layer] == (window > 0)) continue;
    fail("key 'layer_types': {} for layer {}, but by the other keys of this model_type its window is {}",
         json.at("layer_types")[layer].dump(), layer, window > 0 ? std::to_string(window) : "none");
  }
}

nlohmann::json write_layer_types(const DecoderConfig& config) {
  nlohmann::json types = nlohmann::json::array();
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    types.push_back(config.window_of_layer(layer) > 0 ? "sliding_attention" : "full_attention");
  }
  return types;
}

nlohmann::json window_or_null(const DecoderConfig& config) {
  return config.sliding_window > 0 ? nlohmann::json(config.sliding_window) : nlohmann::json();
}

void read_sparse_step(const nlohmann::json& json, DecoderConfig& config) {
  constexpr std::array kKeys = {ConfigKey{"decoder_sparse_step", "decoder_sparse_step"}};
  read_keys(json, kKeys, config);
  if (!given(json, "mlp_only_layers")) return;
  const nlohmann::json& layers = json.at("mlp_only_layers");
  if (!layers.is_array()) fail("key 'mlp_only_layers': expected a list of layers, got {}", layers.dump());
  std::vector<std::int64_t> dense;
  for (const nlohmann::json& layer : layers) {
    if (!layer.is_number_integer() || layer < 0 || layer > std::numeric_limits<std::int32_t>::max()) {
      fail("key 'mlp_only_layers': {} is no layer", layer.dump());
    }
    // Layers that the model does not have may be named: they change nothing.
    if (layer < config.num_hidden_layers) dense.push_back(layer.get<std::int64_t>());
  }
  std::ranges::sort(dense);
  dense.erase(std::unique(dense.begin(), dense.end()), dense.end());
  config.mlp_only_layers = integers_text(dense);
}

void write_sparse_step(const DecoderConfig& config, nlohmann::json& json) {
  nlohmann::json dense = nlohmann::json::array();
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const bool by_step = (layer + 1) % config.decoder_sparse_step != 0;
    if (!by_step && !config.is_moe_layer(layer)) dense.push_back(layer);
  }
  json["mlp_only_layers"] = std::move(dense);
  json["decoder_sparse_step"] = config.decoder_sparse_step;
}

void make_dense(DecoderConfig& config) { config.first_k_dense_replace = config.num_hidden_layers; }

double attention_scale(const DecoderConfig& config) {
  if (config.attention_multiplier > 0.0) return config.attention_multiplier;
  const std::int64_t width =
      config.is_latent() ? config.qk_nope_head_dim + config.qk_rope_head_dim : config.dim_per_head();
  return 1.0 / std::sqrt(static_cast<double>(width));
}

void set_softmax_weighting(bool normalized, DecoderConfig& config) {
  config.moe.weighting = normalized ? "topk_then_softmax" : "softmax_then_topk";
}

bool is_normalized(const DecoderConfig& config) {
  return config.moe.weighting != "softmax_then_topk" && config.moe.weighting != "scaled" &&
         config.moe.weighting != "sigmoid_scaled";
}

}  // namespace witan
