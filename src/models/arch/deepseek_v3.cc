// DeepSeek-V3 and R1 (DeepSeek-AI 2024): latent attention, sigmoid scores with a bias that decides the choice and no
// weight, group-limited routing, shared experts. Further layers for multi-token prediction are not read.
#include <array>
#include <nlohmann/json.hpp>

#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/deepseek_keys.h"

namespace witan::deepseek_v3 {
namespace {

constexpr std::array kKeys = {
    ConfigKey{"routed_scaling_factor", "routed_scaling_factor"}, ConfigKey{"n_group", "n_group"},
    ConfigKey{"topk_group", "topk_group"},
    // No key of the releases: "zero" computes as Transformers does, where masked experts win against negative scores.
    ConfigKey{"masked_group_score", "masked_group_score"}};

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  write_deepseek_experts(config, json);
  write_latent_attention(config, json);
  json.update(write_keys(config, kKeys));
  json["topk_method"] = "noaux_tc";
  json["norm_topk_prob"] = is_normalized(config);
  json["scoring_func"] = "sigmoid";
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.rms_norm_eps = 1e-6;  // what Hugging Face takes when a key is absent, here and below
  config.max_position_embeddings = 4096;
  config.tie_word_embeddings = false;
  // Of these keys null says 0; a number is read below.
  const auto unless_given = [&](const char* key, std::int64_t value) {
    return json.contains(key) ? std::int64_t{0} : value;
  };
  config.first_k_dense_replace = unless_given("first_k_dense_replace", 3);
  config.q_lora_rank = unless_given("q_lora_rank", 1536);
  config.moe.n_shared_experts = unless_given("n_shared_experts", 1);
  config.moe.router = "loss_free";
  config.moe.routed_scaling_factor = 2.5;
  config.moe.fields().find("group_score").set("sum_of_two");
  config.moe.fields().find("n_group").set("8");
  config.moe.fields().find("topk_group").set("4");
  read_decoder_keys(json, config);
  read_deepseek_experts(json, config);
  read_latent_attention(json, config);
  require_value(json, "scoring_func", "sigmoid");
  require_value(json, "topk_method", "noaux_tc");
  read_keys(json, kKeys, config);
  config.moe.weighting = read_flag(json, "norm_topk_prob", true) ? "sigmoid_topk_norm" : "sigmoid_scaled";
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {.model_type = "deepseek_v3",
                                           .class_name = "DeepseekV3ForCausalLM",
                                           .summary = "DeepSeek-V3, V3.1 and R1",
                                           .write_config = write_config,
                                           .read_config = read_config,
                                           .tensors = kDeepseekTensors,
                                           .has_extra_layers = true};

}  // namespace witan::deepseek_v3
