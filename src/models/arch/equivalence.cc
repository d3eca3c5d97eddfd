// The normal form of a config.
#include "models/arch/equivalence.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "gates/table.h"
#include "models/arch/config_keys.h"
#include "routers/table.h"

namespace witan {
namespace {

// Softmax over the selected logits is the softmax over all, divided by the sum over the selected.
std::string weighting_form(const MoeOptions& moe) {
  if (moe.weighting == "softmax_topk_norm" && moe.router_extra.real("topk_norm_order") == 1.0) {
    return "topk_then_softmax";
  }
  if (moe.weighting == "scaled" && moe.routed_scaling_factor == 1.0) return "softmax_then_topk";
  return moe.weighting;
}

bool is_dropless(const MoeOptions& moe) {
  if (moe.eval_capacity_fraction != 0.0) return false;
  if (moe.eval_capacity_factor != RouterOptions::kRouterDefault) return moe.eval_capacity_factor == 0.0;
  // Those whose papers drop nothing.
  return moe.router == "top_k" || moe.router == "group_limited" || moe.router == "loss_free" ||
         moe.router == "sparsemixer";
}

bool has_one_group(const MoeOptions& moe) {
  return moe.router_extra.integer("n_group") == moe.router_extra.integer("topk_group");
}

nlohmann::json router_form(MoeOptions moe) {
  const RouterEntry& entry = find_router(moe.router);
  nlohmann::json form;
  form["router"] = moe.router == "group_limited" && has_one_group(moe) ? "top_k" : moe.router;
  const Fields fields = moe.fields();
  for (const ExtraOption& option : entry.options) {
    if (option.name != "topk_norm_order" && option.name != "bias_update_rate") {
      form[option.name] = fields.find(option.name).to_json();
    }
  }
  if ((moe.router == "group_limited" || moe.router == "loss_free") && has_one_group(moe)) {
    for (const char* name : {"n_group", "topk_group", "group_score", "masked_group_score"}) form.erase(name);
  }
  if (entry.uses_weighting) {
    const std::string weighting = weighting_form(moe);
    form["weighting"] = weighting;
    if (weighting == "softmax_topk_norm") form["order"] = moe.router_extra.real("topk_norm_order");
    if (weighting == "scaled" || weighting == "sigmoid_topk_norm" || weighting == "sigmoid_scaled") {
      form["scale"] = moe.routed_scaling_factor;
    }
  }
  form["dropless"] = is_dropless(moe);
  if (!is_dropless(moe)) {
    for (const char* name : {"eval_capacity_factor", "eval_capacity_fraction", "capacity_rounding", "min_capacity",
                             "drop_policy", "overflow"}) {
      form[name] = fields.find(name).to_json();
    }
  }
  if (entry.uses_gate) {
    form["gate"] = moe.gate;
    for (const ExtraOption& option : find_gate(moe.gate).options) {
      form[option.name] = fields.find(option.name).to_json();
    }
  }
  return form;
}

nlohmann::json mixture_form(const MoeOptions& moe) {
  return {{"num_experts", moe.num_experts},
          {"num_experts_per_tok", moe.num_experts_per_tok},
          {"width", moe.moe_intermediate_size},
          {"gated", moe.gated},
          {"shared_width", moe.shared_width()},
          {"shared_expert_gate", moe.shared_expert_gate},
          {"expert_bias", moe.expert_bias},
          {"swiglu_limit", moe.swiglu_limit},
          {"expert_output_masking", moe.expert_output_masking},
          {"cmr_gate", moe.cmr_gate},
          {"routing", router_form(moe)}};
}

}  // namespace

nlohmann::json computed_form(const DecoderConfig& config) {
  DecoderConfig copy = config;
  copy.num_key_value_heads = config.key_heads();
  copy.attention_multiplier = attention_scale(config);
  if (config.is_latent()) {
    copy.head_dim = 0;
  } else {
    copy.head_dim = config.dim_per_head();
    copy.rope_interleave = true;
  }
  if (config.rope.rope_type == "default") copy.rope = RopeScaling();
  // Where it is given, longrope takes its factor from the ratio of the lengths.
  if (config.rope.rope_type == "longrope" && config.rope.original_max_position_embeddings > 0) {
    copy.rope.rope_factor = 1.0;
  }
  if (copy.rope.original_max_position_embeddings == config.max_position_embeddings) {
    copy.rope.original_max_position_embeddings = 0;
  }
  const std::int64_t mixtures = config.num_moe_layers();
  if (mixtures == config.num_hidden_layers) {
    copy.intermediate_size = 1;
    copy.mlp_bias = false;
    copy.mlp_gated = "as_experts";
  } else {
    copy.mlp_gated = config.dense_is_gated() ? "gated" : "plain";
  }
  nlohmann::json form = copy.fields().to_json();
  const Fields mixture = copy.moe.fields();
  for (const Field& field : mixture.all()) form.erase(field.name);
  // Said by layer below, or read in training only.
  for (const char* name : {"sliding_window", "full_attention_layers", "decoder_sparse_step", "first_k_dense_replace",
                           "mlp_only_layers", "initializer_range", "allow_noncausal"}) {
    form.erase(name);
  }
  nlohmann::json layers = nlohmann::json::array();
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::int64_t window = config.window_of_layer(layer);
    layers.push_back({config.is_moe_layer(layer), window < config.max_positions() ? window : 0});
  }
  form["layers"] = std::move(layers);
  const bool clamped = config.moe.swiglu_limit > 0.0 && config.moe.shared_width() == 0;
  if (mixtures < config.num_hidden_layers || !clamped) form["hidden_act"] = config.moe.hidden_act;
  if (mixtures > 0) form["mixture"] = mixture_form(config.moe);
  return form;
}

}  // namespace witan
