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
