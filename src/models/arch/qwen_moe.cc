// Keys of the Qwen models with experts.
#include "models/arch/qwen_moe.h"

#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/config_keys.h"

namespace witan {
namespace {

constexpr std::array kMixtureKeys = {
    ConfigKey{"num_experts_per_tok", "num_experts_per_tok", Presence::kRequired},
    ConfigKey{"moe_intermediate_size", "moe_intermediate_size", Presence::kRequired},
    ConfigKey{"intermediate_size", "intermediate_size"},
    ConfigKey{"head_dim", "head_dim"},
};
constexpr std::array kQwenExperts = {ConfigKey{"num_experts", "num_experts"}};

}  // namespace

DecoderConfig read_qwen_moe(const nlohmann::json& json, DecoderConfig config) {
  config.max_position_embeddings = 32768;  // what Hugging Face takes when a key is absent, here and below
  config.rms_norm_eps = 1e-6;
  config.tie_word_embeddings = false;
  config.moe.router_aux_loss_coef = 0.001;
  config.moe.router_z_loss_coef = 0.0;
  read_decoder_keys(json, config);
  read_keys(json, kMixtureKeys, config);
  read_sparse_step(json, config);
  if (read_integer(json, expert_count_key(json, "num_experts"), 1) == 0) {
    make_dense(config);
  } else {
    read_expert_count(json, "num_experts", config);
  }
  set_softmax_weighting(read_flag(json, "norm_topk_prob", false), config);
  if (read_flag(json, "use_sliding_window", false)) read_window(json, 4096, config);
  return config;
}

nlohmann::json write_qwen_moe(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  json.update(write_keys(config, kMixtureKeys));
  json.update(write_keys(config, kQwenExperts));
  write_sparse_step(config, json);
  json["head_dim"] = config.dim_per_head();
  json["norm_topk_prob"] = is_normalized(config);
  json["use_sliding_window"] = config.sliding_window > 0;
  json["sliding_window"] = window_or_null(config);
  return json;
}

}  // namespace witan
