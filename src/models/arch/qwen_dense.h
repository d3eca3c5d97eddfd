// What the dense Qwen2 and Qwen3 share: a sliding window in the later layers.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/config.h"

namespace witan {

DecoderConfig read_qwen_dense(const nlohmann::json& json, DecoderConfig defaults);
nlohmann::json write_qwen_dense(const DecoderConfig& config);

}  // namespace witan
