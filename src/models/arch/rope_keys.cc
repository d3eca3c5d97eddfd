// rope_scaling, both ways.
#include "models/arch/rope_keys.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/number_list.h"
#include "models/arch/config_keys.h"

namespace witan {
namespace {

constexpr std::array kTheta = {ConfigKey{"rope_theta", "rope_theta"}};
constexpr std::array kScaling = {
    ConfigKey{"factor", "rope_factor"},
    ConfigKey{"attention_factor", "rope_attention_factor"},
    ConfigKey{"beta_fast", "rope_beta_fast"},
    ConfigKey{"beta_slow", "rope_beta_slow"},
    ConfigKey{"mscale", "rope_mscale"},
    ConfigKey{"mscale_all_dim", "rope_mscale_all_dim"},
    ConfigKey{"truncate", "rope_truncate"},
    ConfigKey{"low_freq_factor", "rope_low_freq_factor"},
    ConfigKey{"high_freq_factor", "rope_high_freq_factor"},
};
constexpr const char* kOriginalKey = "original_max_position_embeddings";
constexpr std::array kOriginal = {ConfigKey{kOriginalKey, "original_max_position_embeddings"}};
constexpr std::array kPhimoe = {ConfigKey{"short_mscale", "rope_short_mscale"},
                                ConfigKey{"long_mscale", "rope_long_mscale"}};

std::string factors_text(const nlohmann::json& rope, const char* key) {
  if (!given(rope, key)) return "";
  if (!rope.at(key).is_array()) fail("key '{}': expected a list of numbers, got {}", key, rope.at(key).dump());
  std::vector<double> factors;
  for (const nlohmann::json& factor : rope.at(key)) {
    if (!factor.is_number()) fail("key '{}': expected a list of numbers, got {}", key, factor.dump());
    factors.push_back(factor.get<double>());
  }
  return reals_text(factors);
}

// Throws Error for keys that only a type gives a meaning.
std::string type_of(const nlohmann::json& rope) {
  for (const char* key : {"rope_type", "type"}) {
    if (given(rope, key)) return read_text(rope, key, "");
  }
  for (const auto& [key, value] : rope.items()) {
    if (value.is_null() || key == "rope_theta" || key == "partial_rotary_factor") continue;
    fail(
        "'rope_type' is missing, which says what '{}' is for (known: default, linear, dynamic, yarn, longrope, llama3)",
        key);
  }
  return "default";
}

void read_scaling(const nlohmann::json& rope, DecoderConfig& config) {
  std::string type = type_of(rope);
  if (type == "su") type = "longrope";  // its name in early releases of Phi-3
  config.fields().find("rope_type").set(type);
  if (type == "default") return;
  read_keys(rope, kScaling, config);
  config.rope.rope_short_factor = factors_text(rope, "short_factor");
  config.rope.rope_long_factor = factors_text(rope, "long_factor");
  if (type != "longrope" && !given(rope, "factor")) fail("'factor' is missing");
  if (type != "llama3") return;
  for (const char* key : {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    if (!given(rope, key)) fail("'{}' is missing", key);
  }
}

// None of these architectures computes anything with another value, in the reference either.
void require_whole_heads(const nlohmann::json& json) {
  constexpr const char* kKey = "partial_rotary_factor";
  if (read_number(json, kKey, 1.0) == 1.0) return;
  fail("key '{}': {}, expected 1: this architecture turns whole heads", kKey, json.at(kKey).dump());
}

}  // namespace

void read_rope(const nlohmann::json& json, DecoderConfig& config) {
  require_whole_heads(json);
  read_keys(json, kTheta, config);
  for (const std::string_view key : {"rope_parameters", "rope_scaling"}) {
    if (!given(json, key)) continue;
    const nlohmann::json& rope = json.at(std::string(key));
    if (!rope.is_object()) fail("key '{}': expected an object, got {}", key, rope.dump());
    try {
      require_whole_heads(rope);
      read_keys(rope, kTheta, config);
      read_scaling(rope, config);
      // Transformers 4 takes that of longrope from beside rope_scaling alone; 5 knows it within rope_parameters.
      const bool is_longrope = config.rope.rope_type == "longrope";
      if (config.rope.rope_type != "default" && (!is_longrope || key == "rope_parameters")) {
        read_keys(rope, kOriginal, config);
      }
    } catch (const Error& error) {
      fail("key '{}': {}", key, error.what());
    }
  }
  if (config.rope.rope_type == "longrope") read_keys(json, kOriginal, config);
}

void read_phimoe_rope(const nlohmann::json& json, DecoderConfig& config) {
  if (config.rope.rope_type != "longrope") return;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (!given(json, key)) continue;
    const nlohmann::json& rope = json.at(key);
    read_keys(rope, kPhimoe, config);
    if (given(json, kOriginalKey) && given(rope, kOriginalKey) && json.at(kOriginalKey) != rope.at(kOriginalKey)) {
      fail("key '{}': {}, but {} in '{}'; expected the same", kOriginalKey, json.at(kOriginalKey).dump(),
           rope.at(kOriginalKey).dump(), key);
    }
    read_keys(rope, kOriginal, config);
  }
}

void write_rope(const DecoderConfig& config, nlohmann::json& json) {
  const RopeScaling& rope = config.rope;
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = nullptr;
  if (rope.rope_type == "default") return;
  nlohmann::json scaling = {{"rope_type", rope.rope_type}, {"type", rope.rope_type}, {"factor", rope.rope_factor}};
  if (rope.original_max_position_embeddings > 0) {
    scaling["original_max_position_embeddings"] = rope.original_max_position_embeddings;
  }
  if (rope.rope_attention_factor > 0.0) scaling["attention_factor"] = rope.rope_attention_factor;
  if (rope.rope_type == "yarn") {
    scaling["beta_fast"] = rope.rope_beta_fast;
    scaling["beta_slow"] = rope.rope_beta_slow;
    scaling["truncate"] = rope.rope_truncate;
    if (rope.rope_mscale > 0.0) scaling["mscale"] = rope.rope_mscale;
    if (rope.rope_mscale_all_dim > 0.0) scaling["mscale_all_dim"] = rope.rope_mscale_all_dim;
  }
  if (rope.rope_type == "llama3") {
    scaling["low_freq_factor"] = rope.rope_low_freq_factor;
    scaling["high_freq_factor"] = rope.rope_high_freq_factor;
  }
  if (rope.rope_type == "longrope") {
    if (rope.original_max_position_embeddings > 0) {  // Transformers 4 reads it there
      json["original_max_position_embeddings"] = rope.original_max_position_embeddings;
    }
    scaling["short_factor"] = parse_reals("rope_short_factor", rope.rope_short_factor);
    scaling["long_factor"] = parse_reals("rope_long_factor", rope.rope_long_factor);
    if (rope.rope_short_mscale > 0.0) scaling["short_mscale"] = rope.rope_short_mscale;
    if (rope.rope_long_mscale > 0.0) scaling["long_mscale"] = rope.rope_long_mscale;
  }
  json["rope_scaling"] = std::move(scaling);
}

}  // namespace witan
