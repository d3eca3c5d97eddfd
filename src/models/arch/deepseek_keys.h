// Keys of config.json that the three DeepSeek architectures share.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>

#include "models/config.h"
#include "models/tensor_rule.h"

namespace witan {

// Routed and shared experts, which layers have them, dense width. Throws Error for values that are not supported.
void read_deepseek_experts(const nlohmann::json& json, DecoderConfig& config);
void write_deepseek_experts(const DecoderConfig& config, nlohmann::json& json);

// Multi-head latent attention. With yarn the scores are multiplied by mscale(factor, mscale_all_dim)^2, beside the
// attention factor of cosines and sines.
void read_latent_attention(const nlohmann::json& json, DecoderConfig& config);
void write_latent_attention(const DecoderConfig& config, nlohmann::json& json);

inline constexpr std::array kDeepseekTensors =
    joined(kExpertsOneByOne, std::array{
                                 TensorRule{"mlp.shared_expert.gate_proj", "mlp.shared_experts.gate_proj.weight"},
                                 TensorRule{"mlp.shared_expert.up_proj", "mlp.shared_experts.up_proj.weight"},
                                 TensorRule{"mlp.shared_expert.down_proj", "mlp.shared_experts.down_proj.weight"},
                                 TensorRule{"mlp.router.e_score_correction_bias", "mlp.gate.e_score_correction_bias"},
                             });

}  // namespace witan
