// What Qwen2-MoE and Qwen3-MoE share: routed experts in every decoder_sparse_step-th layer, and their names of keys.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/config.h"

namespace witan {

// `defaults`: what the key that is absent leaves, where the two differ.
DecoderConfig read_qwen_moe(const nlohmann::json& json, DecoderConfig defaults);
nlohmann::json write_qwen_moe(const DecoderConfig& config);

}  // namespace witan
