// DeepSeek-V2 (DeepSeek-AI 2024): latent attention, group-limited softmax routing, shared experts; as the released code
// computes it, with yarn's factor in the scale of the scores.
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/architecture.h"
#include "models/arch/config_keys.h"
#include "models/arch/deepseek_keys.h"

namespace witan::deepseek_v2 {
namespace {

constexpr std::array kScale = {ConfigKey{"routed_scaling_factor", "routed_scaling_factor"}};
constexpr std::array kGroups = {ConfigKey{"n_group", "n_group", Presence::kRequired},
                                ConfigKey{"topk_group", "topk_group", Presence::kRequired}};

// What the released code computes where it differs from Transformers, which DeepSeek-V3 follows: the attention factor
// is always the quotient, and other lengths and values are taken for what the config does not say.
void read_yarn(RopeScaling& rope) {
  if (rope.rope_type != "yarn") return;
  if (rope.original_max_position_embeddings == 0) rope.original_max_position_embeddings = 4096;
  const double above = rope.rope_mscale > 0.0 ? rope.rope_mscale : 1.0;
  rope.rope_attention_factor =
      yarn_mscale(rope.rope_factor, above) / yarn_mscale(rope.rope_factor, rope.rope_mscale_all_dim);
}

nlohmann::json write_config(const DecoderConfig& config) {
  nlohmann::json json = write_decoder_keys(config);
  write_deepseek_experts(config, json);
  write_latent_attention(config, json);
  json.update(write_keys(config, kScale));
  json.update(write_keys(config, kGroups));
  json["topk_method"] = config.moe.router == "group_limited" ? "group_limited_greedy" : "greedy";
  json["norm_topk_prob"] = is_normalized(config);
  json["scoring_func"] = "softmax";
  return json;
}

DecoderConfig read_config(const nlohmann::json& json) {
  DecoderConfig config;
  config.rms_norm_eps = 1e-6;  // what the released code takes when a key is absent
  config.tie_word_embeddings = false;
  read_decoder_keys(json, config);
  read_deepseek_experts(json, config);
  read_latent_attention(json, config);
  read_yarn(config.rope);
  require_value(json, "scoring_func", "softmax");
  const std::string method = read_text(json, "topk_method", "greedy");
  if (method == "group_limited_greedy") {
    config.moe.router = "group_limited";
    read_keys(json, kGroups, config);
  } else if (method != "greedy") {
    fail("key 'topk_method': '{}' is not supported (known: greedy, group_limited_greedy)", method);
  }
  read_keys(json, kScale, config);
  // Normalised weights are not scaled; and the only choice is not normalised.
  const bool normalized = read_flag(json, "norm_topk_prob", false) && config.moe.num_experts_per_tok > 1;
  config.moe.weighting = normalized ? "topk_then_softmax" : "scaled";
  return config;
}

}  // namespace

extern const Architecture kArchitecture = {
    "deepseek_v2", "DeepseekV2ForCausalLM", "DeepSeek-V2 and V2-Lite", write_config, read_config, kDeepseekTensors};

}  // namespace witan::deepseek_v2
