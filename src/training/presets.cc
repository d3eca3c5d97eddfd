// The presets: named settings for a purpose. A preset is one entry of the table, and sets only what differs from the
// defaults of the fields.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/suggest.h"
#include "training/settings.h"

namespace witan {
namespace {

struct Preset {
  const char* name;
  const char* fields;  // JSON, by the names of the flags
};

constexpr Preset kPresets[] = {
    // A few minutes on two cores over a few megabytes of text.
    {"quickstart", R"({
       "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
       "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 128, "max_position_embeddings": 1024,
       "vocab_size": 4096, "batch_size": 4, "sequence_length": 256, "minutes": 4,
       "learning_rate": 0.004, "lr_scheduler_type": "wsd", "warmup_ratio": 0.03, "decay_ratio": 0.4,
       "initializer_range": 0.06, "eval_steps": 500})"},
    // Seconds: to see every part work, and for tests. Learns little.
    {"tiny", R"({
       "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
       "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "max_position_embeddings": 256,
       "vocab_size": 512, "batch_size": 4, "sequence_length": 32, "steps": 50,
       "learning_rate": 0.003, "lr_scheduler_type": "cosine", "eval_steps": 20, "eval_tokens": 2048})"},
    // Half a minute on two cores, once for each router of `witan compare`.
    {"zoo", R"({
       "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
       "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "max_position_embeddings": 512,
       "vocab_size": 2048, "batch_size": 8, "sequence_length": 128, "steps": 500,
       "learning_rate": 0.004, "lr_scheduler_type": "wsd", "warmup_ratio": 0.05, "decay_ratio": 0.4,
       "initializer_range": 0.06, "eval_steps": 100, "eval_tokens": 16384, "save_minutes": 1})"},
    // An evening on a desktop machine over a few hundred megabytes of text.
    {"small", R"({
       "hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4,
       "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 768, "max_position_embeddings": 2048,
       "vocab_size": 16384, "batch_size": 8, "sequence_length": 512, "gradient_accumulation_steps": 4,
       "minutes": 240, "learning_rate": 0.001, "lr_scheduler_type": "wsd", "warmup_ratio": 0.02,
       "decay_ratio": 0.2})"},
    // GLaM 64B/64E (Du et al. 2022, table 4): every other layer a mixture of plain experts with GShard's router, the
    // others gated. RoPE stands for relative positions, AdamW for Adafactor. Its routing drops in training, where
    // second choices wait for the whole batch; in evaluation nothing is dropped, since a text grows token by token.
    {"glam", R"({
       "hidden_size": 8192, "num_hidden_layers": 64, "num_attention_heads": 128, "num_key_value_heads": 128,
       "head_dim": 128, "intermediate_size": 32768, "mlp_gated": "gated", "hidden_act": "gelu", "gated": false,
       "num_experts": 64, "num_experts_per_tok": 2, "moe_intermediate_size": 32768, "decoder_sparse_step": 2,
       "router": "gshard", "balance_choices": "first", "router_aux_loss_coef": 0.01, "router_z_loss_coef": 0,
       "eval_capacity_factor": 0, "allow_noncausal": true, "max_position_embeddings": 1024, "vocab_size": 256000,
       "batch_size": 1, "sequence_length": 1024, "gradient_accumulation_steps": 1024, "tokens": 600000000000,
       "learning_rate": 0.0001})"},
    // The same in small: minutes on two cores.
    {"glam_small", R"({
       "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
       "intermediate_size": 512, "mlp_gated": "gated", "hidden_act": "gelu", "gated": false,
       "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 512, "decoder_sparse_step": 2,
       "router": "gshard", "balance_choices": "first", "router_aux_loss_coef": 0.01, "router_z_loss_coef": 0,
       "eval_capacity_factor": 0, "allow_noncausal": true, "max_position_embeddings": 1024, "vocab_size": 4096,
       "batch_size": 4, "sequence_length": 256, "minutes": 4, "learning_rate": 0.004, "lr_scheduler_type": "wsd",
       "warmup_ratio": 0.03, "decay_ratio": 0.4, "initializer_range": 0.06, "eval_steps": 500})"},
    // GShard's MoE(2048E, 36L) (Lepikhin et al. 2021, table 1) as a decoder: its 36 layers of encoder and decoder
    // together, without attention across; 18 mixtures of 2048 plain ReLU experts; the second expert at random in
    // proportion to its weight, capacity 2 S / E. Evaluation as above.
    {"gshard", R"({
       "hidden_size": 1024, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 16,
       "head_dim": 128, "intermediate_size": 8192, "hidden_act": "relu", "gated": false, "norm": "layer",
       "norm_bias": true, "num_experts": 2048, "num_experts_per_tok": 2, "moe_intermediate_size": 8192,
       "decoder_sparse_step": 2, "router": "gshard", "second_policy": "random", "balance_choices": "first",
       "router_aux_loss_coef": 0.01, "router_z_loss_coef": 0, "eval_capacity_factor": 0, "allow_noncausal": true,
       "max_position_embeddings": 1024, "vocab_size": 64000, "batch_size": 4, "sequence_length": 1024,
       "gradient_accumulation_steps": 1024, "tokens": 1000000000000, "learning_rate": 0.0001})"},
    {"gshard_small", R"({
       "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
       "intermediate_size": 512, "hidden_act": "relu", "gated": false, "norm": "layer", "norm_bias": true,
       "num_experts": 32, "num_experts_per_tok": 2, "moe_intermediate_size": 512, "decoder_sparse_step": 2,
       "router": "gshard", "second_policy": "random", "balance_choices": "first", "router_aux_loss_coef": 0.01,
       "router_z_loss_coef": 0, "eval_capacity_factor": 0, "allow_noncausal": true, "max_position_embeddings": 1024,
       "vocab_size": 4096, "batch_size": 4, "sequence_length": 256, "minutes": 4, "learning_rate": 0.004,
       "lr_scheduler_type": "wsd", "warmup_ratio": 0.03, "decay_ratio": 0.4, "initializer_range": 0.06,
       "eval_steps": 500})"},
};

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Preset& preset : kPresets) list.emplace_back(preset.name);
    return list;
  }();
  return names;
}

TrainSettings preset_settings(std::string_view name) {
  const auto* preset = std::find_if(std::begin(kPresets), std::end(kPresets),
                                    [&](const Preset& candidate) { return candidate.name == name; });
  if (preset == std::end(kPresets))
    fail("training.preset: unknown preset '{}'{}", name, suggestion(name, preset_names()));
  TrainSettings settings;
  settings.preset = preset->name;
  Fields fields("preset");
  fields.include(settings.deciding_fields()).include(settings.logging.fields());
  fields.set_all(nlohmann::json::parse(preset->fields));
  return settings;
}

}  // namespace witan
